// The engine `adds`: sums of looked-up subset sums; golden/adds/__init__.py says why, plan.py how.
//
// One source for every processor: layer.inc is compiled for each instruction set, and the caller
// names the one to run. Nothing here multiplies a weight, a code or a sum (addresses are scaled).
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel.h"

// Bit i of byte j goes to bit j of byte i: eight codes become eight bit-planes.
static inline uint64_t transposed(uint64_t x) {
    uint64_t t = (x ^ x >> 7) & 0x00AA00AA00AA00AAull;
    x ^= t ^ t << 7;
    t = (x ^ x >> 14) & 0x0000CCCC0000CCCCull;
    x ^= t ^ t << 14;
    t = (x ^ x >> 28) & 0x00000000F0F0F0F0ull;
    return x ^ t ^ t << 28;
}

// The packed input, one bit a channel, becomes indices of 8, 4 or 1 bits with padding around.
static void spread(const Layer& l, const uint8_t* in, uint8_t* index) {
    const size_t row = (size_t)(l.frames + 2 * l.pw) * l.pixel_groups;
    const int per_byte = 8 / l.group_bits, mask = (1 << l.group_bits) - 1;
    for (int p = 0; p < l.planes; p++) {
        memset(index, 0, row * l.ph);
        index += row * l.ph;
        for (int b = 0; b < l.bands; b++) {
            memset(index, 0, (size_t)l.pw * l.pixel_groups);
            index += (size_t)l.pw * l.pixel_groups;
            if (l.group_bits == 8 && l.in_bytes == l.pixel_groups) {
                const size_t size = (size_t)l.frames * l.in_bytes;
                memcpy(index, in, size);
                index += size;
                in += size;
            } else {
                for (int f = 0; f < l.frames; f++, in += l.in_bytes)
                    for (int g = 0; g < l.pixel_groups; g++)
                        *index++ = in[g / per_byte] >> (g % per_byte * l.group_bits) & mask;
            }
            memset(index, 0, (size_t)l.pw * l.pixel_groups);
            index += (size_t)l.pw * l.pixel_groups;
        }
        memset(index, 0, row * l.ph);
        index += row * l.ph;
    }
}

// Codes [channel][band][frame] become packed bit-planes [plane][band][frame][byte].
static void pack(const Layer& l, const uint8_t* codes, uint8_t* out) {
    const size_t pixels = (size_t)l.bands * l.frames;
    for (int first = 0; first < l.channels; first += 8) {
        const int count = l.channels - first < 8 ? l.channels - first : 8;
        for (size_t i = 0; i < pixels; i++) {
            uint64_t eight = 0;
            for (int c = 0; c < count; c++)
                eight |= (uint64_t)codes[(first + c) * pixels + i] << 8 * c;
            eight = transposed(eight);
            for (int p = 0; p < l.planes; p++)
                out[(p * pixels + i) * l.in_bytes + first / 8] = (uint8_t)(eight >> 8 * p);
        }
    }
}

namespace portable {
#define WIDTH 16
template <typename V>
static inline uint32_t above(const V* sums, const V* bound) {
    uint32_t bits = 0;
    for (int c = 0; c < CHANNELS; c++) {
        const int lanes = sizeof(V) / sizeof(sums[0][0]);
        bits |= (uint32_t)(sums[c / lanes][c % lanes] > bound[c / lanes][c % lanes]) << c;
    }
    return bits;
}
template <typename V>
static inline V meet(V low, V high, V high_bound, V low_bound, int halvings) {
    V met;
    for (size_t c = 0; c < sizeof(V) / 2; c++) {
        const int32_t d = high[c] - high_bound[c] + ((low[c] - low_bound[c]) >> halvings);
        met[c] = (int16_t)(d > INT16_MAX ? INT16_MAX : d < INT16_MIN ? INT16_MIN : d);
    }
    return met;
}
#include "layer.inc"
#undef WIDTH
}  // namespace portable

#if defined(__x86_64__)
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2")
namespace avx2 {
#define WIDTH 32
typedef int16_t Shorts __attribute__((vector_size(32), may_alias));
typedef int32_t Longs __attribute__((vector_size(32), may_alias));
static inline uint32_t above(const Shorts* sums, const Shorts* bound) {
    const __m256i packed = _mm256_packs_epi16(
        (__m256i)(sums[0] > bound[0]), (__m256i)(sums[1] > bound[1]));
    return (uint32_t)_mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xD8));
}
static inline uint32_t above(const Longs* sums, const Longs* bound) {
    uint32_t bits = 0;
    for (int i = 0; i < 4; i++)
        bits |= (uint32_t)_mm256_movemask_ps((__m256)(sums[i] > bound[i])) << 8 * i;
    return bits;
}
static inline Shorts meet(
    Shorts low, Shorts high, Shorts high_bound, Shorts low_bound, int halvings) {
    return (Shorts)_mm256_adds_epi16(
        _mm256_subs_epi16((__m256i)high, (__m256i)high_bound),
        (__m256i)((low - low_bound) >> (short)halvings));
}
#include "layer.inc"
#undef WIDTH
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512dq,prefer-vector-width=512")
namespace avx512 {
#define WIDTH 64
typedef int16_t Shorts __attribute__((vector_size(64), may_alias));
typedef int32_t Longs __attribute__((vector_size(64), may_alias));
static inline uint32_t above(const Shorts* sums, const Shorts* bound) {
    return _mm512_cmpgt_epi16_mask((__m512i)sums[0], (__m512i)bound[0]);
}
static inline uint32_t above(const Longs* sums, const Longs* bound) {
    const uint32_t high = _mm512_cmpgt_epi32_mask((__m512i)sums[1], (__m512i)bound[1]);
    return _mm512_cmpgt_epi32_mask((__m512i)sums[0], (__m512i)bound[0]) | high << 16;
}
static inline Shorts meet(
    Shorts low, Shorts high, Shorts high_bound, Shorts low_bound, int halvings) {
    return (Shorts)_mm512_adds_epi16(
        _mm512_subs_epi16((__m512i)high, (__m512i)high_bound),
        (__m512i)((low - low_bound) >> (short)halvings));
}
#include "layer.inc"
#undef WIDTH
}  // namespace avx512
#pragma GCC pop_options
#endif

enum Isa { PORTABLE, AVX2, AVX512 };

// The best instruction set that this processor and its system have.
extern "C" int adds_best(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq"))
        return AVX512;
    if (__builtin_cpu_supports("avx2")) return AVX2;
#endif
    return PORTABLE;
}

// Bytes of the structures, for the caller to compare with its own.
extern "C" int adds_sizes(void) { return (int)(sizeof(Layer) * 1000 + sizeof(Step)); }

// All layers on one input, uint8 [channel][band][frame]; maps[0] is room for the packed input,
// maps[i + 1] for the packed output of layer i, the last one's int32 [tile][CHANNELS].
extern "C" void adds_run(const Layer* layers, int count, int isa, const uint8_t* codes,
                         uint8_t* const* maps, const Scratch* scratch) {
    const uint8_t* in = codes;
    if (!layers[0].patch_low) {
        pack(layers[0], codes, maps[0]);
        in = maps[0];
    }
    for (int i = 0; i < count; i++) {
        uint8_t* out = maps[i + 1];
#if defined(__x86_64__)
        if (isa == AVX512) avx512::run_layer(layers[i], in, out, *scratch);
        else if (isa == AVX2) avx2::run_layer(layers[i], in, out, *scratch);
        else
#endif
            portable::run_layer(layers[i], in, out, *scratch);
        in = out;
    }
}
