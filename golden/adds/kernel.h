// What golden/adds/plan.py lays out and golden/adds/kernel.cpp walks: keep both alike.
#pragma once
#include <cstdint>

// A line: 32 output channels, 64 bytes of int16. A tile: the channels of one line.
constexpr int CHANNELS = 32;

// Look `count` neighbouring indices up in a row of the kernel and add the lines that they name.
struct Step {
    int32_t plane;      // bit-plane of the input
    int32_t row;        // row of the kernel (over bands)
    int32_t first;      // first index of that row
    int32_t count;      // 1 to 6
    int32_t begins;     // 1: the 16-bit sum starts anew at 0
    int32_t doubles;    // 1: the 16-bit sum is doubled first (Horner's scheme over bit-planes)
    int32_t folds;      // -1, or: behind the step, int32 sum = (int32 sum << folds) + 16-bit sum
};

enum Pool { POOL_NONE, POOL_2X2, POOL_GLOBAL };
enum End { END_THRESHOLD, END_REQUANTISE, END_RAW };

struct Layer {
    int32_t channels, bands, frames, planes;   // of the input
    int32_t in_bytes;                          // bytes of a pixel in the packed input
    int32_t kh, kw, sh, sw, ph, pw;
    int32_t rows, columns;                     // of the map before pooling, dropped edges left out
    int32_t out_bands, out_frames, out_planes;
    int32_t pool, end, shift, top;             // top: greatest code
    int32_t tiles;                             // of output channels
    int32_t group_bits, pixel_groups;          // bits of an index; indices of a pixel
    int32_t patch_low;                         // 0, or the bit-planes of a patch's low half
    int32_t wide;                              // 1: sums end as int32
    int32_t block;                             // rows of the map done at once, even
    int32_t n_steps;
    int32_t padding_;
    const Step* steps;
    const int16_t* tables;                     // [tile][row][index of the row][2^bits][CHANNELS]
    const int32_t* bound;                      // [tile][CHANNELS]: threshold, or bias
};

struct Scratch {
    uint8_t* index;    // padded indices of one layer, or a row of columns of patches
    uint64_t* patches; // indices of a row of patches
    int16_t* narrow;   // 16-bit sums of a block
    int32_t* wide;     // 32-bit sums of a block
};
