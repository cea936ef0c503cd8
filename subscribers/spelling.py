"""Spelling: the singular of simple plurals, American endings for British ones, joined words.

Not a stemmer: `trains`, `trained` and `training` stay three words. Both sides of a comparison
pass through here, so that a rule that goes too far (`noise` as if it were `noize`) does no harm
as long as it makes no two different words one.
"""

from __future__ import annotations

import re
from typing import Final

_SHORTEST: Final = 4

# Words that end in s and are singular, or have no singular of the same meaning.
_ENDING_IN_S: Final = """
    alias always atlas bias canvas christmas chaos cosmos gas lens news pancreas pathos texas
    whereas perhaps towards series species means thus this has was does goes bus acoustics
    aerodynamics aesthetics analytics bioinformatics biomechanics biophysics combinatorics
    cryptographics cybernetics dynamics economics electromagnetics electronics ergonomics
    ethics genetics genomics geophysics graphics hydrodynamics informatics kinematics kinetics
    linguistics logistics magnetics mathematics mechanics metabolomics metaphysics optics
    photonics phonetics physics plasmonics politics proteomics robotics semantics spintronics
    statistics tactics thermodynamics transcriptomics mechatronics haptics diabetes rabies
    herpes mars paris kubernetes aws gps ios nas pos sas sos ros dos
"""
_SINGULAR: Final = frozenset(_ENDING_IN_S.split())
_IRREGULAR: Final = {
    plural: single
    for single, plurals in {
        "analysis": "analyses", "axis": "axes", "basis": "bases", "crisis": "crises",
        "diagnosis": "diagnoses", "hypothesis": "hypotheses", "oasis": "oases",
        "parenthesis": "parentheses", "prognosis": "prognoses", "synthesis": "syntheses",
        "thesis": "theses", "metastasis": "metastases", "stenosis": "stenoses",
        "appendix": "appendices", "index": "indices", "matrix": "matrices", "simplex": "simplices",
        "vertex": "vertices", "vortex": "vortices", "codex": "codices",
        "automaton": "automata", "criterion": "criteria", "phenomenon": "phenomena",
        "polyhedron": "polyhedra", "polytope": "polytopes",
        "bacterium": "bacteria", "extremum": "extrema", "maximum": "maxima", "minimum": "minima",
        "optimum": "optima", "quantum": "quanta", "spectrum": "spectra", "stratum": "strata",
        "continuum": "continua", "equilibrium": "equilibria", "symposium": "symposia",
        "corpus": "corpora", "focus": "foci", "fungus": "fungi", "genus": "genera",
        "hippocampus": "hippocampi", "locus": "loci", "modulus": "moduli", "nucleus": "nuclei",
        "radius": "radii", "stimulus": "stimuli", "torus": "tori", "virus": "viri",
        "alga": "algae", "antenna": "antennae", "formula": "formulae", "larva": "larvae",
        "supernova": "supernovae", "schema": "schemata", "stigma": "stigmata",
        "child": "children", "foot": "feet", "man": "men", "mouse": "mice", "tooth": "teeth",
        "woman": "women", "half": "halves", "leaf": "leaves", "shelf": "shelves",
        "wolf": "wolves", "knife": "knives",
        "cache": "caches", "niche": "niches", "shoe": "shoes", "toe": "toes",
        "calorie": "calories", "cookie": "cookies", "movie": "movies", "selfie": "selfies",
        "zombie": "zombies", "genie": "genies", "prairie": "prairies",
        "api": "apis", "roi": "rois", "cpu": "cpus", "gpu": "gpus", "npu": "npus", "tpu": "tpus",
        "menu": "menus", "emoji": "emojis", "taxi": "taxis", "qubit": "qubits", "kpi": "kpis",
        "quiz": "quizzes", "bus": "buses",
    }.items()
    for plural in plurals.split()
}  # fmt: skip


def singular(word: str) -> str:
    """The singular of a simple plural, in lower case; any other word as it is."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) < _SHORTEST or word[-1] != "s" or word in _SINGULAR or not word.isalpha():
        return word
    # Loss, corpus and analysis end in the s of a singular.
    return word if word[-2] in "sui" else _without_s(word)


def _without_s(word: str) -> str:
    before = word[:-1]
    if word.endswith("ies"):
        return word[:-3] + "y" if len(word) > _SHORTEST else before
    if word.endswith(("sses", "shes", "ches", "xes", "zzes")):
        return word[:-2]
    if word.endswith("oes") and len(word) > len("shoes"):
        return word[:-2]
    if word.endswith("ses") and (word[:-2] in _SINGULAR or word.endswith("uses")):
        return _stem_of_uses(word)
    return before


def _stem_of_uses(word: str) -> str:
    """Viruses and biases end in the s of their singular; causes, houses and uses do not."""
    ends_in_use = word.endswith(("auses", "ouses")) or len(word) <= len("fuses")
    return (
        word[:-1]
        if ends_in_use or word.endswith(("fuses", "cuses", "muses", "reuses"))
        else word[:-2]
    )


_OUR: Final = (
    r"(arm|behavi|cand|clam|col|endeav|fav|ferv|flav|glam|harb|hon|hum|lab|neighb|od|parl|ranc"
    r"|rig|rum|sav|splend|tum|val|vap|vig)our"
)
_DOUBLE_L: Final = (
    r"(cancel|channel|counsel|dial|equal|fuel|funnel|initial|label|level|marshal|model|panel"
    r"|pedal|quarrel|rival|shovel|signal|spiral|swivel|total|travel|tunnel|unravel)l(ed|er|ing|or)"
)


def _er(found: re.Match[str]) -> str:
    return f"{found[1]}er{'ed' if found[2] else ''}"


_ENDINGS: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (_OUR, r"\1or"),
        (_DOUBLE_L + "$", r"\1\2"),
        (r"^(.{3,}?)is(e|ed|er|ing|able|ation|ational|ability)$", r"\1iz\2"),
        (r"(anal|catal|dial|electrol|hydrol|paral|pyrol)ys(e|ed|er|ing)$", r"\1yz\2"),
        (r"(cent|fib|lit|lust|meag|met|somb|spect|theat|calib)re(d?)$", _er),
        (r"(anal|catal|dial|epil|homol|monol|prol|trav)ogue", r"\1og"),
        (r"^(def|off|pret|lic)ence", r"\1ense"),
        (r"aemi([ac])", r"emi\1"),
        (r"rrhoe", "rrhe"),
        (r"haem", "hem"),
        (r"(an)aesth", r"\1esth"),
        (r"^(orthop|encyclop|p)aed", r"\1ed"),
        (r"^palaeo", "paleo"),
        (r"^gynaec", "gynec"),
        (r"^foet", "fet"),
        (r"^oe(dema|sophag|strogen)", r"e\1"),
        (r"^aetio", "etio"),
        (r"manoeuvr(e|ing|ed)", r"maneuver\1"),
        (r"^(acknowledg|judg)ement", r"\1ment"),
        (r"^sulph", "sulf"),
        (r"^sceptic", "skeptic"),
        (r"^artefact", "artifact"),
    )
)
_UMLAUTS: Final = """
    schroedinger goedel moebius groebner roentgen moessbauer kaehler hoelder koenig koenigsberg
    loewner loewdin roessler grueneisen gruenwald pluecker kuenneth hueckel mueller moeller koehler
    boehm fraenkel haertel kroener foerster zoellner zuerich muenchen tuebingen goettingen
    wuerzburg juelich doppelgaenger gedankengaenge traege uebermensch soerensen bjoerk
"""
"""German and Nordic names as they are written where there is no umlaut; Noether has none."""
_WORDS: Final = {
    "ageing": "aging", "aluminium": "aluminum", "caesium": "cesium", "cosy": "cozy",
    "enrol": "enroll", "enrolment": "enrollment", "fulfil": "fulfill", "fulfilment": "fulfillment",
    "grey": "gray", "greyscale": "grayscale", "instalment": "installment", "mould": "mold",
    "plough": "plow", "practise": "practice", "programme": "program", "skilful": "skillful",
    "tyre": "tire", "yoghurt": "yogurt", "maneuvere": "maneuver", "manoeuvre": "maneuver",
} | {name: re.sub("([aou])e", r"\1", name, count=1) for name in _UMLAUTS.split()}  # fmt: skip
_BRITISH: Final = re.compile(
    r"our|ll(?:ed|er|ing|or)$|[iy]s[eai]|re|ogue|ence|ae|oe|ement|sulph|sce|art"
)


def american(word: str) -> str:
    """A lower-case word with American endings: behaviour is behavior, modelling modeling."""
    if word in _WORDS:
        return _WORDS[word]
    if not _BRITISH.search(word):
        return word
    for pattern, replacement in _ENDINGS:
        word = pattern.sub(replacement, word)
    return _WORDS.get(word, word)


_PAIRS: Final = """
    fine tune, fine tuned, fine tuning, pre train, pre trained, pre training, post training,
    multi modal, multi task, multi agent, multi lingual, multi view, multi head, multi scale,
    multi turn, multi hop, multi step, multi class, multi label, cross modal, cross lingual,
    cross attention, self attention, self supervised, semi supervised, few shot, zero shot,
    one shot, long context, long tail, long tailed, open source, open domain, closed form,
    auto encoder, auto encoding, auto regressive, auto regression, auto differentiation,
    hyper parameter, hyper network, hyper graph, meta learning, trade off, super resolution,
    super pixel, sub graph, sub space, sub network, sub word, sub task, sub sampling, non linear,
    non convex, non parametric, non stationary, non negative, pseudo label, time series, time step,
    data center, key point, key frame, look ahead, nano particle, nano structure, micro structure,
    bio marker, neuro imaging, neuro science, photo voltaic, electro magnetic, ferro electric,
    red teaming, code base, eye tracking, real time, run time, feed forward, end effector, k nn,
    hand written, hand writing, over fitting, over smoothing, over sampling, under sampling,
    up sampling, down sampling, in painting, out painting, re ranking, re ranker,
    re identification, de noising, de biasing, de blurring, de hazing, ray tracing, mean field,
    spatio temporal, vision language, quasi particle, wave function, co training, mid training,
    e mail, wi fi, u net, n gram, k mean, t sne, x ray, band gap, wave form, wave guide, check
    point, mini batch, mini max, soft max, arg max, roll out, side channel, sub modular, sub
    modularity, sub optimal, sub gradient, sub module, point cloud, pair wise, point wise, layer
    wise, element wise, token wise, re parameterization, re parameterized, re weighting, re
    sampling, pre processing, post processing, pre print, pre fill, pre clinical, post operative,
    non linearity, non invasive, over parameterized, over parameterization, over confidence, over
    confident, over refusal, mis information, dis information, mis calibration, meta data, meta
    analysis, meta material, meta surface, hetero structure, micro fluidic, micro service, neuro
    symbolic, neuro degenerative, neuro morphic, neuro modulation, opto electronic, opto genetic,
    data set, data point, life long, time stamp,
    immuno therapy, radio therapy, electro chemical, electro physiology, thermo electric, piezo
    electric, nano tube, nano wire, bio medical, geo spatial, hyper spectral, multi spectral, multi
    variate, multi omics, multi modality, multi messenger, multi wavelength, uni modal, bi modal,
    bi lingual, mono lingual, cross domain, cross view, photo realistic, counter factual, chat bot,
    water marking, water mark, black box, white box, web page, web site, tree bank, cyber security,
    back door, back propagation, jail breaking, jail break
"""
COMPOUNDS: Final = {
    american(singular(first + last)): len(first)
    for first, last in (pair.split() for pair in _PAIRS.split(","))
}
"""Joined words that equal a spaced pair, with where they part: finetuning is fine tuning."""
