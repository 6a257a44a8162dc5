package weights_test

import (
	"fmt"
	"log"

	"avssnative/engine/device"
	"avssnative/engine/weights"
)

// Values are encoded as a type stores them, and decoded again: of bfloat16 eight bits are left of the fraction.
func ExampleEncode() {
	data, err := weights.Encode(device.BF16, []float32{1, 0.1})
	if err != nil {
		log.Fatal(err)
	}
	values, err := weights.Decode(weights.Stored{Name: "x", Type: device.BF16, Shape: []int{2}, Data: data}, 0, 2)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(data), values)
	// Output: 4 [1 0.100097656]
}
