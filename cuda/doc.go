// Package cuda is the device "cuda:N": an NVIDIA GPU of compute capability 8.0 or later, driven through the CUDA driver library alone. It
// registers itself when imported; nothing of NVIDIA's is needed to build it, and a machine without a GPU gets a clear error when it asks
// for one.
//
// Three layers: a driver (driver.go: purego by default, gorgonia.org/cu with -tags gorgonia) makes the calls; device, memory, launches and
// uploads give them an order; one file an operation turns device.Device's calls into launches of the kernels in kernels/cuda.
//
// Everything is queued on one compute stream in the order of the calls; weights arrive on a second stream, from pinned memory, and a
// product waits for its own weight only. What fails on the device is found by a later call: the error of Sync names the kernels launched
// last. With AVSSNATIVE_CUDA_SYNC=1 every launch is waited for, checked and timed, and nothing is pooled, so that the error names the one that
// failed; AVSSNATIVE_LIBCUDA names another driver library than libcuda.so.1 (nvcuda.dll on Windows).
package cuda
