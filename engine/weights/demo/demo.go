// Package demo makes the model inside the program known under the name "demo". Import it for that:
//
//	import _ "avssnative/engine/weights/demo"
//
// It adds six megabytes to a program. The model's files are unpacked into the user's cache folder when it is first opened.
package demo

import (
	"avssnative/engine/weights"
	"avssnative/internal/demo"
)

func init() { weights.RegisterSource(demo.Name, source{}) }

type source struct{}

func (source) Known(ref string) bool { return ref == demo.Name }

func (source) Find(string) (string, error) { return demo.Folder() }

func (source) Form() string { return demo.Name }
