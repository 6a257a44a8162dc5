package command

// --config FILE.yaml: flags by name, for all commands that have them, and sections of the name of a command for it alone:
//
//	model: org/name
//	calib: [a.txt, b.txt]
//	run:
//	  drop: 25%
//
// A flag on the line wins over its variable, which wins over the file. A key that no command knows is an error.

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"avssnative/internal/mapped"
	"avssnative/internal/nearest"
	"avssnative/internal/report/escape"

	"github.com/urfave/cli/v2"
	"gopkg.in/yaml.v3"
)

// mostFlags bounds a file of flags.
const mostFlags = 1 << 20

// configured gives a command the flags of --config that nobody has given otherwise.
func configured(c *cli.Context) error {
	path := c.String("config")
	if path == "" {
		return nil
	}
	if err := configure(c, path); err != nil {
		return usage("--config %s: %s", path, escape.Terminal(err.Error())) // it may quote the file
	}
	if c.String("log-level") == "" { // a command that another one calls has none
		return nil
	}
	return setLogLevel(c)
}

func configure(c *cli.Context, path string) error {
	data, err := mapped.ReadSmall(path, mostFlags)
	if err != nil {
		return unwrapped(err)
	}
	top, err := parseConfig(data)
	if err != nil || top == nil {
		return err
	}
	settings, err := settingsOf(top, calledPath(c))
	if err != nil {
		return err
	}
	for _, s := range settings {
		if c.IsSet(s.name) {
			continue
		}
		flag := flagOf(slices.Concat(c.Command.Flags, c.App.Flags), s.name)
		if flag == nil {
			continue // another command's
		}
		if err := s.give(c, flag); err != nil {
			return err
		}
	}
	return nil
}

// calledPath is the command and those that it is a subcommand of.
func calledPath(c *cli.Context) []string {
	var path []string
	for _, level := range c.Lineage() {
		if level.Command != nil && level.Command.Name != "" {
			path = append(path, level.Command.Name)
		}
	}
	return path
}

// parseConfig gives the mapping that a file is; nil for an empty one.
func parseConfig(data []byte) (*yaml.Node, error) {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	switch err := d.Decode(&document); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	top := resolved(document.Content[0])
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want flags by name, as model: demo", top.Line)
	}
	return top, nil
}

// resolved is what an alias stands for.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// configValue is a flag of the file.
type configValue struct {
	name  string
	line  int
	value *yaml.Node
}

// settingsOf are the flags for a command: those of its sections first, then those for all.
func settingsOf(top *yaml.Node, path []string) ([]configValue, error) {
	sections := knownFlags()
	var own, shared []configValue
	seen := map[string]bool{}
	for i := 0; i < len(top.Content); i += 2 {
		key, value := top.Content[i], resolved(top.Content[i+1])
		flags, isSection := sections[key.Value]
		if value.Kind == yaml.MappingNode && isSection && key.Value != "" {
			if seen[key.Value+":"] {
				return nil, fmt.Errorf("line %d: %s: stands there twice", key.Line, key.Value)
			}
			seen[key.Value+":"] = true
			settings, err := section(value, flags, " of "+key.Value)
			if err != nil {
				return nil, err
			}
			if slices.Contains(path, key.Value) {
				own = append(own, settings...)
			}
			continue
		}
		if seen[key.Value] {
			return nil, fmt.Errorf("line %d: %s: stands there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		one := &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{key, value}}
		settings, err := section(one, sections[""], "")
		if err != nil {
			return nil, err
		}
		shared = append(shared, settings...)
	}
	return append(own, shared...), nil
}

// section reads flags by name; known are those there are.
func section(mapping *yaml.Node, known []string, of string) ([]configValue, error) {
	var all []configValue
	for i := 0; i < len(mapping.Content); i += 2 {
		key, value := mapping.Content[i], resolved(mapping.Content[i+1])
		switch {
		case key.Kind != yaml.ScalarNode:
			return nil, fmt.Errorf("line %d: want the name of a flag", key.Line)
		case !slices.Contains(known, key.Value):
			hint := ""
			if near := nearest.Name(key.Value, known); near != "" {
				hint = ", perhaps " + near
			}
			return nil, fmt.Errorf("line %d: no flag %s%s%s", key.Line, key.Value, of, hint)
		case slices.ContainsFunc(all, func(s configValue) bool { return s.name == key.Value }):
			return nil, fmt.Errorf("line %d: %s: stands there twice", key.Line, key.Value)
		}
		all = append(all, configValue{key.Value, key.Line, value})
	}
	return all, nil
}

// knownFlags are the flags that a file may hold: of each command, with those of its subcommands, and under "" all there are.
func knownFlags() map[string][]string {
	known := map[string][]string{}
	var add func(commands []*cli.Command, above []string)
	note := func(name, flag string) {
		if !slices.Contains(known[name], flag) {
			known[name] = append(known[name], flag)
		}
	}
	add = func(commands []*cli.Command, above []string) {
		for _, command := range commands {
			path := append(slices.Clone(above), command.Name)
			for _, flag := range command.Flags {
				name := flag.Names()[0]
				if name == "config" || name == "help" {
					continue
				}
				note("", name)
				for _, of := range path {
					note(of, name)
				}
			}
			add(command.Subcommands, path)
		}
	}
	add(commands(), nil)
	note("", "log-level")
	return known
}

// give sets a flag.
func (s configValue) give(c *cli.Context, flag cli.Flag) error {
	_, several := flag.(*cli.StringSliceFlag)
	_, toggled := flag.(*cli.BoolFlag)
	values := []string{s.value.Value}
	switch {
	case s.value.Kind == yaml.SequenceNode && toggled, s.value.Kind == yaml.MappingNode:
		return fmt.Errorf("line %d: %s: want one value", s.line, s.name)
	case s.value.Kind == yaml.SequenceNode:
		values = nil
		for _, entry := range s.value.Content {
			entry = resolved(entry)
			if entry.Kind != yaml.ScalarNode || entry.Tag == "!!null" {
				return fmt.Errorf("line %d: %s: want a list of values", entry.Line, s.name)
			}
			values = append(values, entry.Value)
		}
		if !several {
			values = []string{strings.Join(values, ",")}
			if len(s.value.Content) == 1 { // a list of one: drop: [8] is layer 8, not 8 layers
				values[0] += ","
			}
		}
	case s.value.Tag == "!!null":
		return fmt.Errorf("line %d: %s: has no value", s.line, s.name)
	case toggled && s.value.Tag != "!!bool":
		return fmt.Errorf("line %d: %s: %q, want true or false", s.line, s.name, s.value.Value)
	}
	for _, value := range values {
		if err := c.Set(s.name, value); err != nil {
			return fmt.Errorf("line %d: %s: %q: %w", s.line, s.name, value, err)
		}
	}
	return nil
}
