/* Compiles the including file's body once an instruction set: a kernel is written once over the vector words of vec.h and becomes
 * NAME(kernel) = kernel_scalar, kernel_avx2, kernel_avx512 or kernel_neon, each under its own target attribute, so that one binary runs
 * anywhere. A file uses it as
 *
 *     #ifndef BODY
 *     #define BODY "x.c"
 *     #include "each_isa.h"
 *     #else
 *     TARGET void NAME(x)(…) { … }
 *     #endif
 */
#include "internal.h"
#include <math.h>
#include <string.h>

#define SUFFIX scalar
#define TARGET
#define LANES 1
#include "vec.h"
#include BODY
#undef SUFFIX
#undef TARGET
#undef LANES

#if AVSS_X86
#define SUFFIX avx2
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define LANES 8
#include "vec.h"
#include BODY
#undef SUFFIX
#undef TARGET
#undef LANES

#define SUFFIX avx512
#define TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")))
#define LANES 16
#include "vec.h"
#include BODY
#undef SUFFIX
#undef TARGET
#undef LANES
#endif

#if AVSS_ARM
#define SUFFIX neon
#define TARGET
#define LANES 4
#include "vec.h"
#include BODY
#undef SUFFIX
#undef TARGET
#undef LANES
#endif
