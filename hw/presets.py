"""The presets: machines with names, sized for parts."""

from hw.config import Config, ConfigError

PRESETS = {
    "tiny": Config(
        lanes=8,
        columns=4,
        groups=2,
        acc_bits=20,
        strip=8,
        code_words=2048,
        map_words=1024,
        weight_rows=2048,
        partial_sums=128,
        program_words=1024,
    ),
    # An iCE40 UP5K at 12 MHz: 4 x 256 kbit of single-port RAM for weights and program, 30 block
    # RAMs of 4 kbit; codes in as many as make one range of addresses.
    "small": Config(
        lanes=8,
        columns=4,
        groups=2,
        acc_bits=21,
        strip=10,
        code_words=2048,
        map_words=4096,
        weight_rows=16384,
        partial_sums=256,
        program_words=2048,
        cell="table4",
        pool_codes=False,
        single_port=True,
        compact=True,
    ),
    "medium": Config(  # ECP5-45F: 108 block RAMs of 18 kbit
        lanes=32,
        columns=32,
        groups=8,
        acc_bits=24,
        strip=72,
        code_words=16384,
        map_words=3072,
        weight_rows=2048,
        partial_sums=512,
        program_words=1024,
    ),
    "large": Config(  # ECP5-85F: 208 block RAMs of 18 kbit
        lanes=32,
        columns=32,
        groups=8,
        acc_bits=22,
        strip=84,
        code_words=16384,
        map_words=4096,
        weight_rows=2048,
        partial_sums=1024,
        program_words=1024,
        cell="table",
        pool_codes=False,
    ),
}


def preset(name: str) -> Config:
    """Return the preset `name`; a `ConfigError` names the known ones."""
    if name not in PRESETS:
        raise ConfigError(f"preset must be one of {', '.join(PRESETS)}, not {name!r}")
    return PRESETS[name]
