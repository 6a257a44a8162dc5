/* Compiles the including file's body once an instruction set that multiplies 8-bit integers in a way of its own, as each_isa.h does once a
 * width of vectors:
 *
 *   scalar      loops
 *   avx2        pairs of bytes into 16 bits, pairs of these into 32 (VPMADDUBSW, VPMADDWD); serves avx512 too, which has no better
 *   avxvnni     four bytes into 32 bits in one instruction (VPDPBUSD), 256 bits wide
 *   avx512vnni  the same, 512 bits wide, where the file asks for it by WIDE_VNNI
 *   neon        16-bit products, added in pairs
 *   neondot     four bytes into 32 bits in one instruction (SDOT)
 *
 * VNNI and SDOT say which there is; PLAIN is the suffix of what each_isa.h compiles for the same processor. */
#include "internal.h"
#include <math.h>
#include <string.h>

#define SUFFIX scalar
#define PLAIN scalar
#define TARGET
#define LANES 1
#define VNNI 0
#define SDOT 0
#include "vec.h"
#include BODY
#undef SUFFIX
#undef PLAIN
#undef TARGET
#undef LANES

#if AVSS_X86
#define SUFFIX avx2
#define PLAIN avx2
#define TARGET __attribute__((target("avx2,fma,f16c")))
#define LANES 8
#include "vec.h"
#include BODY
#undef SUFFIX
#undef PLAIN
#undef TARGET
#undef VNNI

#define SUFFIX avxvnni
#define PLAIN avx2
#define TARGET __attribute__((target("avxvnni,avx2,fma,f16c")))
#define VNNI 1
#include "vec.h"
#include BODY
#undef SUFFIX
#undef PLAIN
#undef TARGET
#undef LANES

#ifdef WIDE_VNNI
#define SUFFIX avx512vnni
#define PLAIN avx512
#define TARGET __attribute__((target("avx512vnni,avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,f16c")))
#define LANES 16
#include "vec.h"
#include BODY
#undef SUFFIX
#undef PLAIN
#undef TARGET
#undef LANES
#endif
#endif
#undef VNNI
#define VNNI 0

#if AVSS_ARM
#define SUFFIX neon
#define PLAIN neon
#define TARGET
#define LANES 4
#include "vec.h"
#include BODY
#undef SUFFIX
#undef PLAIN
#undef TARGET
#undef SDOT

#define SUFFIX neondot
#define PLAIN neon
#define TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#define SDOT 1
#include "vec.h"
#include BODY
#undef SUFFIX
#undef PLAIN
#undef TARGET
#undef LANES
#endif
#undef SDOT
#undef VNNI
