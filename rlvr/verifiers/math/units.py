"""Units of measure: their spellings, sizes and dimensions.

The SI's prefixes are read before its units, in symbols ("kPa") and in names ("kilopascals"). A unit without
a fixed size in other units is a base unit of its own, such as the dollar, the ton and the year.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from rlvr.verifiers.math.tree import Unit
from rlvr.verifiers.math.vocabulary import Unreadable, words_of

_PREFIXES = {
    "Y": ("yotta", 24), "Z": ("zetta", 21), "E": ("exa", 18), "P": ("peta", 15), "T": ("tera", 12),
    "G": ("giga", 9), "M": ("mega", 6), "k": ("kilo", 3), "h": ("hecto", 2), "da": ("deca", 1),
    "d": ("deci", -1), "c": ("centi", -2), "m": ("milli", -3), "µ": ("micro", -6), "μ": ("micro", -6),
    "u": ("micro", -6), "n": ("nano", -9), "p": ("pico", -12), "f": ("femto", -15), "a": ("atto", -18),
}  # fmt: skip
_LONG_PREFIXES = dict(_PREFIXES.values())

# Symbols, names, size, and base units with their powers; a gram is 1/1000 of the base unit.
_PREFIXED = """
m | meter metre | 1 | m
g | gram gramme | 1/1000 | kg
s sec secs | second | 1 | s
A | ampere amp | 1 | A
K | kelvin | 1 | K
mol | mole | 1 | mol
cd | candela | 1 | cd
Hz hz | hertz | 1 | s^-1
N | newton | 1 | kg m s^-2
Pa | pascal | 1 | kg m^-1 s^-2
J | joule | 1 | kg m^2 s^-2
W | watt | 1 | kg m^2 s^-3
C | coulomb | 1 | A s
V | volt | 1 | kg m^2 s^-3 A^-1
F | farad | 1 | kg^-1 m^-2 s^4 A^2
Ω | ohm | 1 | kg m^2 s^-3 A^-2
S | siemens | 1 | kg^-1 m^-2 s^3 A^2
Wb | weber | 1 | kg m^2 s^-2 A^-1
T | tesla | 1 | kg s^-2 A^-1
H | henry henries | 1 | kg m^2 s^-2 A^-2
L l | liter litre | 1/1000 | m^3
lm | lumen | 1 | lm
lx | lux | 1 | lx
Bq | becquerel | 1 | Bq
Gy | gray | 1 | Gy
Sv | sievert | 1 | Sv
eV | electronvolt electron-volt | 1 | eV
B | byte | 8 | bit
b | bit | 1 | bit
cal | calorie | 4184/1000 | kg m^2 s^-2
Wh | watt-hour watthour | 3600 | kg m^2 s^-2
bar | bar | 100000 | kg m^-1 s^-2
pc | parsec | 1 | pc
M | molar | 1000 | mol m^-3
bps | | 1 | bit s^-1
"""
_OTHERS = """
in | inch | 254/10000 | m
ft | foot feet | 3048/10000 | m
yd | yard | 9144/10000 | m
mi | mile | 1609344/1000 | m
nmi | nautical-mile | 1852 | m
Å | angstrom ångström | 1/10000000000 | m
ly | light-year lightyear | 1 | ly
AU au | astronomical-unit | 1 | AU
lb lbs | pound | 45359237/100000000 | kg
oz | ounce | 45359237/1600000000 | kg
st | stone | 635029318/100000000 | kg
t | ton tonne | 1 | ton
min mins | minute | 60 | s
h hr hrs | hour | 3600 | s
d | day | 86400 | s
wk wks | week | 604800 | s
mo | month | 1/12 | year
yr yrs | year | 1 | year
 | decade | 10 | year
 | century centuries | 100 | year
mph | | 1609344/3600000 | m s^-1
kph kmh kmph | | 1000/3600 | m s^-1
kn kt kts | knot | 1852/3600 | m s^-1
rpm | | 1/60 | rev s^-1
rev | revolution | 1 | rev
KB | | 8000 | bit
cc | | 1/1000000 | m^3
ha | hectare | 10000 | m^2
ac | acre | 40468564224/10000000 | m^2
gal | gallon | 3785411784/1000000000000 | m^3
qt | quart | 946352946/1000000000000 | m^3
pt | pint | 473176473/1000000000000 | m^3
 | cup | 2365882365/10000000000000 | m^3
tbsp | tablespoon | 1478676478125/100000000000000000 | m^3
tsp | teaspoon | 492892159375/100000000000000000 | m^3
atm | atmosphere | 101325 | kg m^-1 s^-2
mmHg Torr | torr | 133322387415/1000000000 | kg m^-1 s^-2
psi | | 6894757293168/1000000000 | kg m^-1 s^-2
hp | horsepower | 74569987158227022/100000000000000 | kg m^2 s^-3
Btu BTU | | 105505585262/100000000 | kg m^2 s^-2
dB | decibel | 1 | dB
amu Da | dalton | 1 | amu
° deg | degree | 1 | deg
rad | radian | 1 | rad
sr | steradian | 1 | sr
°C degC | celsius | 1 | degC
°F degF | fahrenheit | 1 | degF
% pct | percent percentage | 1 | %
unit units | unit | 1 | unit
$ usd USD | dollar buck | 1 | $
¢ c | cent | 1/100 | $
€ EUR | euro | 1 | €
£ GBP | quid | 1 | £
jiao | | 1/10 | ¥
¥ CNY RMB JPY | yuan yen renminbi | 1 | ¥
₹ INR Rs | rupee | 1 | ₹
₩ KRW | won | 1 | ₩
₽ RUB | ruble rouble | 1 | ₽
am a.m. a.m AM | | 1 | am
pm p.m. p.m PM | | 1 | pm
"""
_CHINESE = {
    "米": "m", "千米": "km", "公里": "km", "分米": "dm", "厘米": "cm", "毫米": "mm", "微米": "μm", "纳米": "nm",
    "克": "g", "千克": "kg", "公斤": "kg", "毫克": "mg", "吨": "t", "秒": "s", "秒钟": "s", "分": "min", "分钟": "min",
    "小时": "h", "时": "h", "天": "d", "日": "d", "周": "wk", "星期": "wk", "月": "mo", "个月": "mo", "年": "yr",
    "升": "L", "毫升": "mL", "元": "¥", "块": "¥", "块钱": "¥", "人民币": "¥", "日元": "¥", "美元": "$", "角": "jiao", "毛": "jiao", "欧元": "€",
    "英镑": "£", "度": "°", "摄氏度": "degC", "弧度": "rad", "牛": "N", "牛顿": "N", "焦": "J", "焦耳": "J", "千焦": "kJ",
    "瓦": "W", "瓦特": "W", "千瓦": "kW", "千瓦时": "kWh", "伏": "V", "伏特": "V", "安": "A", "安培": "A", "欧": "Ω", "欧姆": "Ω",
    "帕": "Pa", "帕斯卡": "Pa", "千帕": "kPa", "赫兹": "Hz", "摩尔": "mol", "公顷": "ha", "英里": "mi", "英尺": "ft",
    "英寸": "in", "磅": "lb", "单位": "unit", "个单位": "unit",
}  # fmt: skip
EVERYDAY = words_of(
    "mm cm km mg kg mL ml ft yd lb lbs oz hr hrs sec secs min mins mph kph kmh kmph gal yr yrs mol hz am pm "
    "a.m. p.m. a.m p.m AM PM deg rad usd USD pct cc rpm psi units unit"
)
"""Units that are read after a number without \\text, in upper or lower case."""

CURRENCIES = frozenset("$€£¥₹₩₽")
UNITS = Unit(Fraction(1), (("unit", 1),))
NOTHING = Unit(Fraction(1), ())
PERCENT = Unit(Fraction(1), (("%", 1),))
DEGREE = Unit(Fraction(1), (("deg", 1),))


def unit_of(word: str) -> Unit | None:
    """Return the unit that a word names: "cm", "kilojoules", "米"; None for any other word."""
    lower = word.lower()
    if word not in _SYMBOLS and lower in EVERYDAY:
        return _SYMBOLS.get(lower)  # KG
    return _SYMBOLS.get(word) or _named(lower) or _chinese(word)


def is_unmistakable(word: str, spaced: bool = False) -> bool:
    """Return True if a word after a number is a unit even outside of \\text, where letters are variables.

    There "ab" is no attobit, and "PA" no peta-ampere. With `spaced`, "kPa" and "Hz" are units.
    """
    if word in EVERYDAY or (len(word) > 2 and _named(word.lower()) is not None):
        return True
    mixed = not word.islower() and not word.isupper()
    return spaced and mixed and word in _SYMBOLS


MAX_POWER = 24
"""The largest power of a base unit; a unit with a larger one isn't read."""


def over(unit: Unit, power: int) -> Unit:
    """Return a unit to a power. Raises `Unreadable` if the result is absurd."""
    powers = tuple((base, count * power) for base, count in unit.powers) if power else ()
    return _bounded(
        Unit(unit.scale**power if abs(power) <= MAX_POWER else unit.scale, powers), power
    )


def times(left: Unit, right: Unit) -> Unit:
    """Return the product of two units. Raises `Unreadable` if the result is absurd."""
    powers = dict(left.powers)
    for base, count in right.powers:
        powers[base] = powers.get(base, 0) + count
    nonzero = tuple(sorted((base, count) for base, count in powers.items() if count))
    return _bounded(Unit(left.scale * right.scale, nonzero), 1)


def _bounded(unit: Unit, power: int) -> Unit:
    size = unit.scale.numerator.bit_length() + unit.scale.denominator.bit_length()
    if size > 4000 or max((abs(count) for _, count in unit.powers), default=abs(power)) > MAX_POWER:
        raise Unreadable("a unit to a strange power")
    return unit


def is_part_of(smaller: Unit, unit: Unit) -> bool:
    """Return True if both have the same dimension and the first is the smaller one: minutes of hours."""
    return smaller.powers == unit.powers and smaller.scale < unit.scale


def chinese_unit(text: str) -> str:
    """Return the longest unit that Chinese `text` begins with; "" if there's none."""
    for length in range(min(len(text), 6), 0, -1):
        if _chinese(text[:length]) is not None:
            return text[:length]
    return ""


def _chinese(word: str) -> Unit | None:
    for before, power in (("平方", 2), ("立方", 3)):
        if word.startswith(before) and word[2:] in _CHINESE:
            return over(_SYMBOLS[_CHINESE[word[2:]]], power)
    return _SYMBOLS[_CHINESE[word]] if word in _CHINESE else None


@lru_cache(maxsize=4096)
def _named(word: str) -> Unit | None:
    """Return the unit that is spelled out: "metres", "kilojoule"."""
    for name in (word, word.removesuffix("s"), word.removesuffix("es")):
        if name in _NAMES:
            return _NAMES[name]
        for prefix, power in _LONG_PREFIXES.items():
            if name.startswith(prefix) and name[len(prefix) :].lstrip("-") in _PREFIXED_NAMES:
                unit = _NAMES[name[len(prefix) :].lstrip("-")]
                return Unit(unit.scale * Fraction(10) ** power, unit.powers)
    return None


def _read(table: str) -> list[tuple[list[str], list[str], Unit]]:
    rows = []
    for line in table.strip("\n").splitlines():
        symbols, names, scale, bases = (part.strip() for part in line.split("|"))
        powers = [base.partition("^") for base in bases.split()]
        dimensions = tuple(sorted((base, int(power or 1)) for base, _, power in powers))
        rows.append((symbols.split(), names.split(), Unit(Fraction(scale), dimensions)))
    return rows


def _tables() -> tuple[dict[str, Unit], dict[str, Unit], frozenset[str]]:
    """Return units by symbol and by name, and the names that take prefixes."""
    symbols: dict[str, Unit] = {}
    names: dict[str, Unit] = {}
    prefixed: set[str] = set()
    for short, long, unit in _read(_PREFIXED):
        for symbol in short:
            for prefix, (_, power) in _PREFIXES.items():
                symbols[prefix + symbol] = Unit(unit.scale * Fraction(10) ** power, unit.powers)
        names.update(dict.fromkeys(long, unit))
        prefixed.update(long)
    for short, long, unit in _read(_OTHERS) + _read(_PREFIXED):  # "min" is no milli-inch
        symbols.update(dict.fromkeys(short, unit))
        names.update(dict.fromkeys(long, unit))
    return symbols, names, frozenset(prefixed)


_SYMBOLS, _NAMES, _PREFIXED_NAMES = _tables()
