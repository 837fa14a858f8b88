"""The page's sentences; `{}` are filled in by `boards.experiment.page`."""

HEAD = """\
Nilsson et al., "Resource-Efficient Speech Quality Prediction through Quantization Aware Training
and Binary Activation Maps", Interspeech 2024, [arXiv 2407.04578](https://arxiv.org/abs/2407.04578),
says that a network with binary activation maps (BAM) matches its float baseline, that with 8-bit
weights the memory during inference falls 25-fold, and that almost all dot products become sums.
Here the experiment is made again, with data and labels of its own.

This page is written by `bambino experiment-page` from [the results](experiment/results/README.md),
the shipped network and the demo clip; nothing is trained for it.
[figures.json](experiment/figures.json) holds its figures. MSE, PCC (Pearson) and SRCC (Spearman)
are computed anew from the predictions of every run. ± is the sample deviation over n seeds; with
n = 1 there is none, and - is what nobody measured."""

NO_RUNS = """\
**No training is in the results yet**: all that needs one is missing below."""

ABLATIONS = """\
Known kinds of distortion. Those that start from `bam`, as `bam-w8` does, vary that one; input codes
and the surrogate vary `codes-8`, which is trained in 8 bits from the float network on."""

MEMORY = """\
Bits of the shipped network's shapes, under stated models of what is held at once. "Conv outputs"
and "largest map" count before pooling, "pooled maps" what is handed on; "strips" hold as many
frames of a layer's input as its kernel spans, and one begun frame of each maximum. Weights count
with a 32-bit bias or threshold a channel. Inputs, where they count, have 8 bits in every variant;
vectors between dense layers count nowhere. "Less" is the float baseline's over the variant's. 1 kB
is 1000 bytes."""

MACHINES = """\
`memory_bits` of the presets that hold the network: what it takes, of what is there. They work in
strips, pool before they store, and hold partial sums and a program as well."""

WORK = """\
Of one clip, padding included, counted from the shipped network's file. A multiply-accumulate has
two factors of more than one bit; an accumulate adds an 8-bit weight where a bit is 1. Thresholds
compare, requantising adds and shifts; behind the network the host scales the raw result once."""

MULTIPLIERS = """\
Multiplications of two signals in the description of the machine `{machine}`: {count}."""

ZEROS = """\
The shipped network on the demo clip ({windows}); of codes all bits count. An accumulate of a 0 adds
nothing: a machine that skips zeros would spare it. The generated ones skip none."""

ONES = """\
Bits that are 1 in the input and the outputs of the trained networks, mean over seeds (of floats:
the share above 0). What would be spared is estimated from these shares, padding taken for pixels
like all others:"""
