// A libcuda.a for linking: gorgonia.org/cu links with -lcuda, and its init ends the process where cuInit fails. Here every function of
// the driver is a jump through a slot that the first call fills from libcuda.so.1 (or the library that AVSSNATIVE_LIBCUDA names); where
// there is no library, or no such function in it, the call returns CUDA_ERROR_SHARED_OBJECT_INIT_FAILED. cuInit tells its caller that
// all is well: the program asks the library itself before it uses the device, and gives a clear error then.
//
// Arguments stay where the caller put them, so that no prototype is needed: the driver's functions take integers and pointers only.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

static void *library;
static pthread_once_t opened = PTHREAD_ONCE_INIT;

static void open_library(void) {
  const char *name = getenv("AVSSNATIVE_LIBCUDA");
  library = dlopen(name && *name ? name : "libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
}

static int missing(void) { return 303; }

// Fills a slot and says where its function is.
__attribute__((visibility("hidden"))) void *lazy_resolve(const char *name, void **slot) {
  pthread_once(&opened, open_library);
  void *found = library ? dlsym(library, name) : NULL;
  if (!found) return (void *)missing;
  __atomic_store_n(slot, found, __ATOMIC_RELEASE);
  return found;
}

int cuInit(unsigned flags) {
  static void *slot;
  ((int (*)(unsigned))lazy_resolve("cuInit", &slot))(flags);
  return 0;
}

#if !defined(__x86_64__) || !defined(__linux__)
#error "the stub knows the calling convention of Linux on x86-64 only"
#endif

// The registers that arguments come in, and an even number of pushes so that the stack stays aligned.
__asm__(".text\n"
        ".type lazy_find,@function\n"
        "lazy_find:\n"
        " pushq %rdi\n pushq %rsi\n pushq %rdx\n pushq %rcx\n pushq %r8\n pushq %r9\n subq $8,%rsp\n"
        " movq %r11,%rdi\n movq %r10,%rsi\n"
        " call lazy_resolve\n"
        " addq $8,%rsp\n popq %r9\n popq %r8\n popq %rcx\n popq %rdx\n popq %rsi\n popq %rdi\n"
        " jmp *%rax\n");

#define STUB(name)                                                                                                   \
  __asm__(".data\n.align 8\n.Lslot_" #name ": .quad 0\n"                                                             \
          ".section .rodata\n.Lname_" #name ": .asciz \"" #name "\"\n"                                               \
          ".text\n.globl " #name "\n.type " #name ",@function\n" #name ":\n"                                         \
          " endbr64\n movq .Lslot_" #name "(%rip),%rax\n testq %rax,%rax\n je 1f\n jmp *%rax\n"                      \
          "1: leaq .Lname_" #name "(%rip),%r11\n leaq .Lslot_" #name "(%rip),%r10\n jmp lazy_find\n");
#include "symbols.h"
