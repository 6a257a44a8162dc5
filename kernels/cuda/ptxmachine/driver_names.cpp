// Names: of errors, and of functions by cuGetProcAddress.
#include <dlfcn.h>

#include "driver.h"

namespace ptx {
namespace {
struct ErrorText {
  int code;
  const char *name, *text;
};
const ErrorText errorTexts[] = {
    {Success, "CUDA_SUCCESS", "no error"},
    {InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NotInitialized, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {Deinitialized, "CUDA_ERROR_DEINITIALIZED", "driver shutting down"},
    {NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {InvalidImage, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NoBinary, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {InvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {FileNotFound, "CUDA_ERROR_FILE_NOT_FOUND", "file not found"},
    {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {NotReady, "CUDA_ERROR_NOT_READY", "device not ready"},
    {IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {OutOfResources, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {Timeout, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {AlreadyRegistered, "CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED", "part or all of the requested memory range is already mapped"},
    {NotRegistered, "CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED", "pointer does not correspond to a registered memory region"},
    {IllegalInstruction, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {Misaligned, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {NotSupported, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
};
}  // namespace
}  // namespace ptx

using namespace ptx;

PTX_API int cuInit(unsigned flags);

PTX_API int cuGetErrorName(int code, const char** name) {
  if (!name) return InvalidValue;
  *name = nullptr;
  for (const ErrorText& e : errorTexts)
    if (e.code == code) {
      *name = e.name;
      return Success;
    }
  return InvalidValue;
}

PTX_API int cuGetErrorString(int code, const char** text) {
  if (!text) return InvalidValue;
  *text = nullptr;
  for (const ErrorText& e : errorTexts)
    if (e.code == code) {
      *text = e.text;
      return Success;
    }
  return InvalidValue;
}

// The newest form of a name, as a program compiled against cuda.h would get it.
PTX_API int cuGetProcAddress_v2(const char* symbol, void** function, int, u64, int* status) {
  if (!symbol || !function) return InvalidValue;
  *function = nullptr;
  Dl_info self;
  if (!dladdr(reinterpret_cast<void*>(&cuInit), &self)) return NotFound;
  void* library = dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (!library) return NotFound;
  for (const char* suffix : {"_v2", ""})
    if (!*function) *function = dlsym(library, (std::string(symbol) + suffix).c_str());
  dlclose(library);
  if (status) *status = *function ? 0 : 1;
  return *function ? Success : NotFound;
}
PTX_API int cuGetProcAddress(const char* symbol, void** function, int version, u64 flags) {
  return cuGetProcAddress_v2(symbol, function, version, flags, nullptr);
}
