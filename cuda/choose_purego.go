//go:build !gorgonia

package cuda

const driverName = "purego"

func openDriver() (driver, error) { return openLibrary() }
