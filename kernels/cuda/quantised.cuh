// Values of block-quantised rows, one at a time.
#pragma once
#include "functions.cuh"

enum { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K };

DEVICE float half_at(const u8 *p) { return from_f16((u16)(p[0] | p[1] << 8)); }

// The 6-bit scale and least value of sub-block s of Q4_K and Q5_K, packed into twelve bytes.
DEVICE void scale_and_least(const u8 *p, int s, int *scale, int *least) {
  if (s < 4) {
    *scale = p[s] & 63, *least = p[s + 4] & 63;
  } else {
    *scale = (p[s + 4] & 15) | p[s - 4] >> 6 << 4;
    *least = p[s + 4] >> 4 | p[s] >> 6 << 4;
  }
}

DEVICE float dequantised_small(const u8 *row, int kind, int col) {
  int i = col % 32, at = col / 32, low = i % 16;
  switch (kind) {
  case Q4_0: {
    const u8 *b = row + (i64)at * 18;
    return half_at(b) * ((i < 16 ? b[2 + low] & 15 : b[2 + low] >> 4) - 8);
  }
  case Q4_1: {
    const u8 *b = row + (i64)at * 20;
    return half_at(b) * (i < 16 ? b[4 + low] & 15 : b[4 + low] >> 4) + half_at(b + 2);
  }
  case Q5_0: {
    const u8 *b = row + (i64)at * 22;
    int high = b[2 + i / 8] >> i % 8 & 1;
    return half_at(b) * ((i < 16 ? b[6 + low] & 15 : b[6 + low] >> 4) + 16 * high - 16);
  }
  case Q5_1: {
    const u8 *b = row + (i64)at * 24;
    int high = b[4 + i / 8] >> i % 8 & 1;
    return half_at(b) * ((i < 16 ? b[8 + low] & 15 : b[8 + low] >> 4) + 16 * high) + half_at(b + 2);
  }
  default: { // Q8_0
    const u8 *b = row + (i64)at * 34;
    return half_at(b) * (signed char)b[2 + i];
  }
  }
}

DEVICE float dequantised_k(const u8 *row, int kind, int col) {
  int i = col % 256, at = col / 256, wide = i / 128, quarter = i % 128 / 32, l = i % 32, group = wide * 8 + quarter * 2 + l / 16, s = i / 32;
  int scale, lowest;
  switch (kind) {
  case Q2_K: {
    const u8 *b = row + (i64)at * 84;
    int q = b[16 + wide * 32 + l] >> 2 * quarter & 3;
    return half_at(b + 80) * (b[group] & 15) * q - half_at(b + 82) * (b[group] >> 4);
  }
  case Q3_K: {
    const u8 *b = row + (i64)at * 110;
    int q = (b[32 + wide * 32 + l] >> 2 * quarter & 3) - (b[l] >> (wide * 4 + quarter) & 1 ? 0 : 4);
    const u8 *p = b + 96;
    scale = ((group < 8 ? p[group] & 15 : p[group - 8] >> 4) | (p[8 + group % 4] >> 2 * (group / 4) & 3) << 4) - 32;
    return half_at(b + 108) * scale * q;
  }
  case Q4_K: {
    const u8 *b = row + (i64)at * 144;
    u8 pair = b[16 + i / 64 * 32 + l];
    scale_and_least(b + 4, s, &scale, &lowest);
    return fused(half_at(b) * scale, (float)(i % 64 < 32 ? pair & 15 : pair >> 4), -(half_at(b + 2) * lowest)); // as product_quantised.cu has it
  }
  case Q5_K: {
    const u8 *b = row + (i64)at * 176;
    u8 pair = b[48 + i / 64 * 32 + l];
    int high = b[16 + l] >> s & 1;
    scale_and_least(b + 4, s, &scale, &lowest);
    return half_at(b) * scale * ((i % 64 < 32 ? pair & 15 : pair >> 4) + 16 * high) - half_at(b + 2) * lowest;
  }
  default: { // Q6_K
    const u8 *b = row + (i64)at * 210;
    u8 pair = b[wide * 64 + (quarter & 1) * 32 + l];
    int q = ((quarter < 2 ? pair & 15 : pair >> 4) | (b[128 + wide * 32 + l] >> 2 * quarter & 3) << 4) - 32;
    return half_at(b + 208) * (signed char)b[192 + group] * q;
  }
  }
}

DEVICE float dequantised(const u8 *row, int kind, int col) {
  return kind <= Q8_0 ? dequantised_small(row, kind, col) : dequantised_k(row, kind, col);
}
