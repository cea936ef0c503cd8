"""When two words are the same, and when they are not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from conftest import needs
from hypothesis import given
from hypothesis import strategies as st

from subscribers.spelling import american, singular
from subscribers.words import fold, is_acronym, placed, plain, scanner, words

CORPUS = Path(__file__).parent.parent.parent / "shared" / "corpus"


@pytest.mark.parametrize(
    "same",
    [
        ("fine-tuning", "Fine Tuning", "finetuning", "FINE TUNING", "fine–tuning", "Fine-Tunings"),
        ("mixture of experts", "Mixtures-of-Experts", "mixture of expert"),
        ("naïve Bayes", "naive Bayes", 'na\\"ive Bayes', 'na\\"{i}ve {B}ayes'),
        ("$\\beta$-VAE", "β-VAE", "beta VAE", "\\beta-VAE", "𝛽-VAE"),
        ("CO$_2$", "CO₂", "CO_2", "CO2", "CO_{2}"),
        ("behaviour modelling", "behavior modeling", "Behaviours modelling"),
        ("optimisation", "optimization", "Optimisations"),
        ("IL-6", "IL6", "IL 6", "il-6"),
        ("PD-1", "PD1", "PD 1"),
        ("GPT-4", "GPT4", "GPT 4"),
        ("ResNet-50", "ResNet50", "resnet 50"),
        ("k-NN", "kNN", "k NN", "KNN"),
        ("data set", "dataset", "Data-Sets", "datasets"),
        ("Schrödinger", "Schroedinger", "SCHRODINGER", 'Schr\\"odinger'),
        ("Möbius", "Moebius", "mobius"),
        ("Mössbauer", "Moessbauer"),
        ("centre", "center", "centers"),
        ("catalogue", "catalog", "catalogues"),
        ("analyses", "analysis"),
        ("matrices", "matrix"),
        ("queries", "query"),
        ("biases", "bias"),
        ("caches", "cache"),
        ("viruses", "virus"),
        ("GPUs", "gpu", "GPU"),
        ("model’s weights", "model weights", "model's weight"),
        ("C++", "c++"),
        (".NET", ".net"),
        ("k-NN", "kNN", "k nn"),
        ("GPT-4", "GPT 4", "GPT4"),
        ("3D", "3d", "3-D", "3–d"),
        ("Llama-3", "LLaMA 3", "llama3"),
        ("Qwen2.5", "Qwen-2.5", "qwen 2.5"),
        ("ResNet50", "ResNet-50"),
        ("$\\ell_1$", "L1", "ℓ₁", "\\ell_{1}", "l_1"),
        ("COVID19", "COVID-19"),
        ("anaemia", "anemia"),
        ("diarrhoea", "diarrhea"),
        ("leukaemic", "leukemic"),
        ("U-Net", "UNet", "u nets"),
        ("n-gram", "ngrams"),
        ("black-box", "blackbox", "black boxes"),
        ("re-parameterisation", "reparameterization"),
        ("email", "e-mails"),
        ("ﬁne", "fine"),
        ("Łukasz", "Lukasz"),
        ("ﾓﾃﾞﾙ", "モデル"),
        ("haemoglobin", "hemoglobin"),
        ("grey", "gray"),
        ("label-efficient dialogue", "Label efficient dialog"),
    ],
)
def test_these_are_the_same_words(same: tuple[str, ...]) -> None:
    assert {tuple(words(text)) for text in same} == {tuple(words(same[0]))}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fine-tuning", "fine-tuned"),
        ("fusion", "diffusion"),
        ("train", "training"),
        ("C", "C++"),
        ("C#", "C"),
        ("NET", ".NET"),
        ("dynamic", "dynamics"),
        ("physic", "physics"),
        ("GPT-4", "GPT-4o"),
        ("IL-6", "IL-16"),
        ("IL6", "IL60"),
        ("CO", "CO2"),
        ("RI3D", "RI 3D"),
        ("CO 2", "CO2"),
        ("H 100", "H100"),
        ("poet", "pot"),
        ("does", "dos"),
        ("Noether", "Nother"),
        ("data sets", "data settings"),
        ("ResNet-50", "ResNet-500"),
        ("gas", "ga"),
        ("loss", "los"),
        ("four", "for"),
        ("hour", "hor"),
        ("scaling", "scale"),
        ("R", "RNN"),
        ("LLM", "LLMOps"),
        ("lens", "len"),
        ("3.5", "35"),
        ("\\ellipse", "l"),
        ("co", "CO2"),
        ("3-DOF", "3D"),
        ("word 2 vec", "word2vec"),
        ("T 5", "T5"),
    ],
)
def test_these_are_not(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_every_han_kana_and_hangul_character_is_a_word() -> None:
    assert words("扩散模型 and 확산") == ["扩", "散", "模", "型", "and", "확", "산"]


def test_offsets_are_those_of_the_text_as_given() -> None:
    text = 'The na\\"ive Finetuning of $\\beta$-VAEs, CO₂ and the model’s É'
    shown = [text[token.start : token.end] for token in fold(text)]
    assert shown == [
        "The", 'na\\"ive', "Fine", "tuning", "of", "\\beta", "VAEs", "CO₂", "and", "the", "model",
        "É",
    ]  # fmt: skip


@pytest.mark.parametrize("word", ["RAG", "SAM", "LoRA", "LLM", "mRNA", "MoE", "ViT", "NeRF"])
def test_capitals_that_matter(word: str) -> None:
    assert is_acronym(word)


@pytest.mark.parametrize("word", ["Transformer", "PyTorch", "rag", "3D", "ImageNet", "R", ""])
def test_capitals_that_do_not(word: str) -> None:
    assert not is_acronym(word)


@given(st.text(alphabet="abcdeinrstADNSx 0139-.'+#*,/\"", max_size=40))
def test_plain_text_is_read_as_among_letters_that_are_not(text: str) -> None:
    # What is not plain is scanned by another pattern, which tries everything everywhere.
    assert fold(f"{text} é")[:-1] == fold(text)


@given(st.text(max_size=200))
def test_folding_is_idempotent(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once


@given(st.text(alphabet="abNETnet01dD3's+#*.-_ ", max_size=60) | st.text(max_size=60))
def test_a_piece_is_placed_where_its_match_is(text: str) -> None:
    found = list(scanner(text).finditer(text))
    assert placed(text) == ([one[0] for one in found], [one.start() for one in found])


@given(st.text(alphabet="abcdeilmnorstuyzBS' -\\\"^{}$_+#*.12éßÅ散β", max_size=60))
def test_folding_what_looks_like_words_is_idempotent(text: str) -> None:
    once = words(text)
    assert words(" ".join(once)) == once


@given(st.text(max_size=200))
def test_offsets_are_in_order_and_in_the_text(text: str) -> None:
    last = 0
    for token in fold(text):
        # One character may be several words (½), which then stand in one place.
        assert last <= token.start < token.end <= len(text)
        last = token.start


@given(st.from_regex(r"[a-z]{1,14}", fullmatch=True))
def test_a_singular_and_an_american_word_stay_what_they_are(word: str) -> None:
    folded = american(singular(word))
    assert american(singular(folded)) == folded


@given(st.text(max_size=100))
def test_plain_text_is_plain_already(text: str) -> None:
    assert plain(plain(text)) == plain(text)


def test_folding_real_abstracts_is_idempotent() -> None:
    needs(CORPUS.is_dir(), "real listings, which are no part of the project")
    for path in sorted(CORPUS.glob("listing-*.json")):
        for paper in json.loads(path.read_text(encoding="utf-8"))["papers"]:
            once = words(paper["abstract"])
            assert words(" ".join(once)) == once
            assert len(once) > 50


@pytest.mark.parametrize(
    "text",
    ["a" * 1_000_000, "\\" * 100_000, "a_" * 100_000, "{a" * 100_000, "é" * 300_000, "+" * 100_000,
     "a'" * 100_000, "1." * 100_000, "散" * 100_000, "\\'" * 100_000],
    ids=lambda text: text[:3],
)  # fmt: skip
def test_a_hostile_text_is_folded_in_linear_time(text: str) -> None:
    # CPU of this process, whatever else the machine does; quadratic time would be minutes here.
    began = time.process_time()
    fold(text)
    assert time.process_time() - began < 10
