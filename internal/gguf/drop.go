package gguf

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// DropBlocks returns what Write needs for the same model with only the kept blocks, ascending, 0-based. Tensors blk.N.… are renumbered,
// those of other blocks left out, all others kept; <arch>.block_count is set; lists of <arch>.… and xielu.… with one value a block are cut to the
// kept blocks; counts of leading or trailing blocks of a kind follow what is left of them. Everything else stays as it is.
//
// Some architectures give a block its kind (windowed or full attention, experts or none) by its number. Where the format has a list that
// says it block by block, the list is written (releases of llama.cpp that do not read it yet go by the number still); where it has none, a
// choice that would put a block at a number of the other kind is an error, because the file would be another model.
func DropBlocks(f *File, kept []int) (metadata []KV, tensors []Source, err error) {
	metadata, tensors, err = dropBlocks(f, kept)
	if err != nil {
		return nil, nil, fmt.Errorf("gguf: %s: %w", f.Path(), err)
	}
	return metadata, tensors, nil
}

func dropBlocks(f *File, kept []int) (metadata []KV, tensors []Source, err error) {
	arch, count, err := shape(f)
	if err != nil {
		return nil, nil, err
	}
	place := map[int]int{} // of each kept block, its new number
	for i, block := range kept {
		if block < 0 || block >= count || i > 0 && block <= kept[i-1] {
			return nil, nil, fmt.Errorf("kept blocks %v, want ascending numbers from 0 to %d", kept, count-1)
		}
		place[block] = i
	}
	if len(kept) == 0 {
		return nil, nil, fmt.Errorf("no block kept")
	}
	lists, err := kinds(f, arch, count, kept)
	if err != nil {
		return nil, nil, err
	}
	given := map[string]bool{} // keys that a list replaces
	for _, list := range lists {
		given[list.Key] = true
	}
	for _, entry := range f.Metadata() {
		if given[entry.Key] {
			continue
		}
		key, ours := strings.CutPrefix(entry.Key, arch+".")
		if !ours { // what the activation of Apertus has a block
			key, ours = strings.CutPrefix(entry.Key, "xielu.")
		}
		if ours {
			if entry.Value, err = cut(key, entry.Value, count, kept); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", entry.Key, err)
			}
		}
		metadata = append(metadata, entry)
	}
	metadata = append(metadata, lists...)
	for _, tensor := range f.Tensors() {
		block, rest, ok, err := blockOf(tensor.Name, count)
		if err != nil {
			return nil, nil, err
		}
		name := tensor.Name
		if ok {
			at, stays := place[block]
			if !stays {
				continue
			}
			name = fmt.Sprintf("blk.%d.%s", at, rest)
		}
		tensors = append(tensors, tensor.Source(name))
	}
	return metadata, tensors, nil
}

// shape returns the architecture and its number of blocks.
func shape(f *File) (arch string, count int, err error) {
	arch, present, err := Get[string](f, "general.architecture")
	if err != nil || !present {
		return "", 0, fmt.Errorf("general.architecture is no text or missing")
	}
	blocks, present, err := f.Integer(arch + ".block_count")
	if err != nil || !present {
		return "", 0, fmt.Errorf("%.80s.block_count is no integer or missing", arch)
	}
	// Every block has at least one tensor, so a larger count is a lie.
	if blocks < 1 || blocks > int64(len(f.Tensors())) {
		return "", 0, fmt.Errorf("%.80s.block_count is %d, in a file of %d tensors", arch, blocks, len(f.Tensors()))
	}
	return arch, int(blocks), nil
}

// blockOf splits "blk.3.attn_q.weight" into 3 and "attn_q.weight". ok is false for a tensor of no block.
func blockOf(name string, count int) (block int, rest string, ok bool, err error) {
	after, ok := strings.CutPrefix(name, "blk.")
	if !ok {
		if strings.Contains(name, ".blk.") {
			return 0, "", false, fmt.Errorf("tensor %.80q: blocks of several stacks (encoder and decoder) cannot be dropped", name)
		}
		return 0, "", false, nil
	}
	number, rest, _ := strings.Cut(after, ".")
	block, err = strconv.Atoi(number)
	if err != nil || block < 0 || block >= count || rest == "" || strconv.Itoa(block) != number {
		return 0, "", false, fmt.Errorf("tensor %.80q: want blk.N.… with N below %d", name, count)
	}
	return block, rest, true, nil
}

// notOneABlock are lists of an architecture's keys that might have as many values as there are blocks by chance.
var notOneABlock = map[string]bool{"rope.dimension_sections": true, "classifier.output_labels": true}

// cut returns the value that a key of the architecture has for the kept blocks.
func cut(key string, value any, count int, kept []int) (any, error) {
	switch key {
	case "block_count":
		return likeOld(value, len(kept)), nil
	case "leading_dense_block_count":
		return following(value, func(block, number int) bool { return block < number }, kept)
	case "nextn_predict_layers":
		return following(value, func(block, number int) bool { return block >= count-number }, kept)
	}
	list := reflect.ValueOf(value)
	if list.Kind() != reflect.Slice || list.Len() != count || notOneABlock[key] {
		return value, nil
	}
	fewer := reflect.MakeSlice(list.Type(), 0, len(kept))
	for _, block := range kept {
		fewer = reflect.Append(fewer, list.Index(block))
	}
	return fewer.Interface(), nil
}

// following returns how many kept blocks are among those that a count of the file speaks of.
func following(value any, among func(block, number int) bool, kept []int) (any, error) {
	number, ok := integer(value)
	if !ok || number < 0 || number > 1<<31-1 {
		return nil, fmt.Errorf("%.80s, want a number of blocks", fmt.Sprint(value))
	}
	left := 0
	for _, block := range kept {
		if among(block, int(number)) {
			left++
		}
	}
	return likeOld(value, left), nil
}

// likeOld returns the number in the integer type that the old value has.
func likeOld(old any, number int) any {
	return reflect.ValueOf(number).Convert(reflect.TypeOf(old)).Interface()
}
