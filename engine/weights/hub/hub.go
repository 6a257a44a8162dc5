// Package hub finds models by name in the local Hugging Face cache: org/name, or org/name@revision. Import it for that:
//
//	import _ "avssnative/engine/weights/hub"
//
// Nothing is downloaded by opening a model.
package hub

import (
	"avssnative/engine/weights"
	"avssnative/internal/hub"
)

func init() { weights.RegisterSource("hub", source{}) }

type source struct{}

func (source) Known(ref string) bool {
	_, err := hub.Parse(ref)
	return err == nil
}

func (source) Find(ref string) (string, error) { return hub.Find(ref, hub.Options{}) }

func (source) Form() string { return "org/name in the local cache" }
