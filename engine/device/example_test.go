package device_test

import (
	"fmt"
	"log"

	"avssnative/engine/device"
	_ "avssnative/engine/reference"
)

// Two rows are added on the device that says what every operation means. What is asked may run later; Sync waits, and returns the first failure.
func ExampleOpen() {
	d, err := device.Open("reference", device.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	a, b := d.NewTensor(1, 3), d.NewTensor(1, 3)
	d.Upload(a, 0, []float32{1, 2, 3})
	d.Upload(b, 0, []float32{10, 20, 30})
	d.Add(a, a, b, 0.5)
	sum := make([]float32, 3)
	d.Download(sum, a, 0)
	if err := d.Sync(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum)
	// Output: [6 12 18]
}
