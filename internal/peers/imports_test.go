package peers_test

// What the tests open models on and by.
import (
	_ "avssnative/engine/cpu"
	_ "avssnative/engine/reference"
	_ "avssnative/engine/weights/demo"
)
