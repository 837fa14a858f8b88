"""The same sums in software, with additions only: an engine for ordinary processors.

**What it does.** The bits of 8 input channels at one tap are a byte, and a byte names one of 256
*lines*: the 16-bit sums of the weights whose bit is 1, for 32 output channels at once. Adding a
line to a pixel's sums is 256 accumulates. The lines are made from the weights by additions when a
network is laid out (`golden.adds.plan`); codes of several bits come bit-plane by bit-plane, the
sum doubled in between; an output is a comparison or a shift. No weight, code or sum is multiplied.

**Why so.** Measured on the paper's conv2 (68.6 million accumulates, bits of the demo clip), one
core of an AMD EPYC (Zen 4, AVX-512), milliseconds:

==========================================================================  =====
lines of 256 by a byte, six look-ups a pass over the sums of two map rows   0.130
the same, all 36 look-ups of a pixel in one pass, tables of 576 KiB         0.198
indices of 9 bits: the whole 3x3 patch of one channel (and 0.057 to index)  0.147
indices of 6 bits, nine look-ups a pass, tables of 216 KiB                  0.190
indices of 4 bits, tables of 72 KiB                                         0.238
5-bit tables in a register, permuted by words (vpermw), pixels across       0.198
6-bit tables in two registers (vpermt2w), pixels across                     0.255
4-bit tables, low and high bytes shuffled apart (vpshufb), pixels across    0.284
masked additions of a broadcast weight, pixels across                       0.540
==========================================================================  =====

A byte's table is 16 KiB, so the six of a pass pass through the second-level cache, but the lines
that are common stay in the first; fewer bits fit it and lose more in look-ups than they win. With
output channels across, a comparison's mask *is* the packed output, and the same source serves any
width of vector. The first layer is the exception: all nine taps of a bit-plane are one index, and
one table of 32 KiB serves all eight planes.

**What bounds it.** Loads: a line is a load of 64 bytes, of which this processor does at most one a
cycle. A window takes 606,000 look-ups in 0.37 ms, 0.47 a cycle at the 3.5 GHz that a loop of
dependent subtractions shows; conv2 reaches 0.59, and the rest is lines that are not in the first
cache. In a long clip the front-end is the next 0.28 ms of a window.
"""
