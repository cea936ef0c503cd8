"""Synonyms and abbreviations: what else a line could ask for, once its reader says so.

Nothing here finds anything by itself. A line that has one name of a group is offered the others;
switching one on writes it into the line, `mixture of experts OR MoE`, where it can be seen,
changed and taken out again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from subscribers.grammar import ROW_END
from subscribers.query import check, write
from subscribers.tree import And, Form, Not, Or, Term, patterns_of
from subscribers.words import words

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from subscribers.tree import Line, Node

MOST_NAMES: Final = 8
LONGEST_NAME: Final = 100

_BUILT_IN: Final = """
3DGS = 3D Gaussian splatting = Gaussian splatting
ABSA = aspect based sentiment analysis
ADMM = alternating direction method of multipliers
AGI = artificial general intelligence
AI4Science = AI for science
AMR = abstract meaning representation
ANN search = approximate nearest neighbor search
ASR = automatic speech recognition = speech recognition
AutoML = automated machine learning
BCI = brain computer interface
BEV = bird's eye view
BNN = Bayesian neural network
CBF = control barrier function
CFG = classifier free guidance
CNN = convolutional neural network = convnet
CoT = chain of thought
CRISPR = gene editing
CRF = conditional random field
CSP = constraint satisfaction problem
CTC = connectionist temporal classification
CTR prediction = click through rate prediction
CV = computer vision
DAG learning = causal discovery
DDPM = denoising diffusion probabilistic model
DETR = detection transformer
DFT = density functional theory
DiT = diffusion transformer
DNN = deep neural network
DP = differential privacy
DPO = direct preference optimization
DRL = deep reinforcement learning
DRO = distributionally robust optimization
EBM = energy based model
ECG = electrocardiogram = EKG
EEG = electroencephalography = electroencephalogram
EHR = electronic health record = electronic medical record = EMR
ELBO = evidence lower bound
EM = expectation maximization
FEM = finite element method
FL = federated learning
fMRI = functional magnetic resonance imaging = functional MRI
FNO = Fourier neural operator
GAN = generative adversarial network
GCN = graph convolutional network
GEC = grammatical error correction
GFlowNet = generative flow network
GNN = graph neural network
GP = Gaussian process
GPT = generative pre-trained transformer
GRPO = group relative policy optimization
GWAS = genome wide association study
HCI = human computer interaction
HOI = human object interaction
HPC = high performance computing
HRI = human robot interaction
ICL = in-context learning
IE = information extraction
IL = imitation learning
INR = implicit neural representation
IR = information retrieval
IRL = inverse reinforcement learning
IRT = item response theory
JEPA = joint embedding predictive architecture
KD = knowledge distillation
KG = knowledge graph
KGE = knowledge graph embedding
KGQA = knowledge graph question answering
KV cache = key value cache
LFM = liquid foundation model
LLM = large language model
LMM = large multimodal model
LoRA = low-rank adaptation
LRM = large reasoning model
LSTM = long short-term memory
LVLM = large vision language model
MAE = masked autoencoder
MAPF = multi-agent path finding
MARL = multi-agent reinforcement learning
MAS = multi-agent system
MCMC = Markov chain Monte Carlo
MCP = model context protocol
MCTS = Monte Carlo tree search
MDP = Markov decision process
MIA = membership inference attack
MIL = multiple instance learning
MIM = masked image modeling
ML = machine learning
MLIP = machine learning interatomic potential = machine learned interatomic potential
MLLM = multimodal large language model
MLM = masked language model
MLP = multilayer perceptron
MoE = mixture of experts
MPC = model predictive control
MRI = magnetic resonance imaging
MTL = multi-task learning
NAS = neural architecture search
NeRF = neural radiance field
NER = named entity recognition
NLG = natural language generation
NLI = natural language inference = textual entailment
NLP = natural language processing
NMT = neural machine translation
NTK = neural tangent kernel
OCR = optical character recognition
ODE = ordinary differential equation
OOD = out-of-distribution
OT = optimal transport
PAC learning = probably approximately correct
PCA = principal component analysis
PDE = partial differential equation
PEFT = parameter efficient fine-tuning
PINN = physics-informed neural network
PLM = pre-trained language model
POMDP = partially observable Markov decision process
PPG = photoplethysmography
PPO = proximal policy optimization
PRM = process reward model
QA = question answering
QAOA = quantum approximate optimization algorithm
QML = quantum machine learning
RAG = retrieval-augmented generation
RL = reinforcement learning
RLAIF = reinforcement learning from AI feedback
RLHF = reinforcement learning from human feedback
RLVR = reinforcement learning with verifiable rewards
RNN = recurrent neural network
RPA = robotic process automation
RS = recommender system = recommendation system
SAE = sparse autoencoder
SAM = segment anything model = segment anything
SAM = sharpness-aware minimization
SAR = synthetic aperture radar
scRNA-seq = single-cell RNA sequencing
SDE = stochastic differential equation
SFT = supervised fine-tuning
SGD = stochastic gradient descent
SLAM = simultaneous localization and mapping
SLM = small language model
SNN = spiking neural network
SR = super-resolution
SSL = self-supervised learning
SSM = state space model
STT = speech to text
SVM = support vector machine
T2I = text-to-image
T2V = text-to-video
TL = transfer learning
ToM = theory of mind
TTA = test-time adaptation
TTS = text to speech = speech synthesis
UAV = unmanned aerial vehicle = drone
UQ = uncertainty quantification
VAE = variational autoencoder
VI = variational inference
ViT = vision transformer
VLA = vision language action
VLM = vision language model
VO = visual odometry
VQA = visual question answering
VQE = variational quantum eigensolver
WSI = whole slide image
XAI = explainable AI = explainable artificial intelligence
ZSL = zero-shot learning
"""


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name for something a line asks for, and the line with that name switched on."""

    name: str
    text: str


class Thesaurus:
    """Groups of names, each for one thing."""

    def __init__(self, groups: Iterable[tuple[str, ...]]) -> None:
        self._groups: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for group in dict.fromkeys(groups):
            for name in group:
                self._groups.setdefault(tuple(words(name)), []).append(group)
        self._longest = max(map(len, self._groups), default=0)

    def others(self, name: str) -> list[str]:
        """The other names of what has this one, in the order of the list."""
        own = tuple(words(name))
        found = [other for group in self._groups.get(own, ()) for other in group]
        return list(dict.fromkeys(other for other in found if tuple(words(other)) != own))

    def of(self, line: Line) -> tuple[Synonym, ...]:
        """Every name that could be switched on in a line, and how the line would then read."""
        known = set(self._said(line.tree))
        found: dict[str, Synonym] = {}
        for tree, name in self._widened(line.tree):
            if tuple(words(name)) not in known:
                found.setdefault(name.casefold(), Synonym(name, write(tree)))
        return tuple(found.values())

    def all_on(self, line: Line) -> str:
        """The line with every name of every group that it has one of."""
        tree = line.tree
        while True:
            known = set(self._said(tree))
            wider = (one for one, name in self._widened(tree) if tuple(words(name)) not in known)
            if (found := next(wider, None)) is None:
                return write(tree)
            tree = found

    def switched_on(self, text: str, names: Collection[str] = ()) -> str:
        """A keyword text with these names (case apart), or all, written into its lines.

        Only the lines that change are written anew; a row of several lines becomes as many.
        """
        wanted = {name.casefold() for name in names}
        rows: dict[int, list[Line]] = {}
        for line in check(text)[0].lines:
            rows.setdefault(line.row, []).append(line)
        written = ROW_END.split(text)
        for row, lines in rows.items():
            texts = [line.text if line.excludes else self._on(line, wanted) for line in lines]
            if texts != [line.text for line in lines]:
                written[row - 1] = "\n".join(texts)
        return "\n".join(written)

    def _on(self, line: Line, wanted: Collection[str]) -> str:
        """A line with the names that are wanted; as it was typed where there are none."""
        if not wanted:
            return self.all_on(line) if self.of(line) else line.text
        while offered := [one for one in self.of(line) if one.name.casefold() in wanted]:
            (line,) = check(offered[0].text)[0].lines
        return line.text

    def _said(self, node: Node) -> Iterator[tuple[str, ...]]:
        """Everything that a tree names, by a word, a phrase or words side by side."""
        match node:
            case Term():
                yield _folded(node)
            case Not(part):
                yield from self._said(part)
            case Or(parts) | And(parts):
                for part in parts:
                    yield from self._said(part)
        if isinstance(node, And):
            for start, stop in _windows(len(node.parts), self._longest):
                run = node.parts[start:stop]
                if all(map(_is_bare, run)):
                    yield tuple(
                        word for part in run if isinstance(part, Term) for word in _folded(part)
                    )

    def _widened(self, node: Node) -> Iterator[tuple[Node, str]]:
        """The tree with one more name in it, for each name there is."""
        match node:
            case Term():
                yield from ((Or((node, new)), new.text) for new in self._names_of((node,)))
            case Or(parts):
                for at, part in enumerate(parts):
                    for wider, name in self._widened(part):
                        more = wider.parts if isinstance(wider, Or) else (wider,)
                        yield Or((*parts[:at], *more, *parts[at + 1 :])), name
            case And(parts):
                yield from self._widened_together(parts)
            case _:
                return

    def _widened_together(self, parts: tuple[Node, ...]) -> Iterator[tuple[Node, str]]:
        taken: set[int] = set()
        for start, stop in _windows(len(parts), self._longest):
            run = parts[start:stop]
            if not taken.isdisjoint(range(start, stop)) or not all(map(_is_bare, run)):
                continue
            for new in self._names_of(tuple(part for part in run if isinstance(part, Term))):
                taken.update(range(start, stop))
                whole = run[0] if len(run) == 1 else And(run)
                kept = (*parts[:start], Or((whole, new)), *parts[stop:])
                yield kept[0] if len(kept) == 1 else And(kept), new.text
        for at, part in enumerate(parts):
            if at not in taken and not isinstance(part, Not | Term):
                for wider, name in self._widened(part):
                    yield And((*parts[:at], wider, *parts[at + 1 :])), name

    def _names_of(self, run: tuple[Term, ...]) -> Iterator[Term]:
        """The other names of what these words say together, as terms in the same field."""
        field = run[0].field
        if not field.is_text or any(term.near or term.field is not field for term in run):
            return
        folded = tuple(word for term in run for word in _folded(term))
        for name in self.others(" ".join(folded)):
            yield Term(name, field, patterns_of(name))


def _windows(size: int, longest: int) -> Iterator[tuple[int, int]]:
    """Every stretch of so many parts, the longest first."""
    for length in range(min(size, longest), 0, -1):
        for start in range(size - length + 1):
            yield start, start + length


def _is_bare(part: Node) -> bool:
    return isinstance(part, Term) and part.field.is_text and not part.near


def _folded(term: Term) -> tuple[str, ...]:
    """The words of a term, folded; none where a beginning is asked for."""
    if any(pattern.form is Form.PREFIX for pattern in term.patterns):
        return ()
    return tuple(
        word
        for pattern in term.patterns
        for word in (words(pattern.value) if pattern.form is Form.WRITTEN else [pattern.value])
    )


def read_group(line: str) -> tuple[str, ...]:
    """One line of a list, `MoE = mixture of experts`; ValueError, saying what is wrong."""
    names = tuple(" ".join(name.split()).strip('"') for name in line.split("="))
    if len(names) < 2:  # noqa: PLR2004 -- one name is no synonym
        raise ValueError("names for one thing stand on one line with = between them")
    if not all(words(name) for name in names):
        raise ValueError("nothing stands on one side of the =")
    if len(names) > MOST_NAMES or any(len(name) > LONGEST_NAME for name in names):
        raise ValueError(
            f"a line has at most {MOST_NAMES} names of at most {LONGEST_NAME} characters"
        )
    return names


def read_list(text: str) -> list[tuple[str, ...]]:
    """The groups of a list, one a line, # for notes; ValueError, naming the line that is wrong."""
    groups = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                groups.append(read_group(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
    return groups


@cache
def built_in() -> tuple[tuple[str, ...], ...]:
    """The list that comes with the program."""
    return tuple(read_list(_BUILT_IN))


def thesaurus(*more: Iterable[str]) -> Thesaurus:
    """The built-in list and lines of an operator and a reader; unreadable ones are left out."""
    groups = list(built_in())
    for lines in more:
        for line in lines:
            try:
                groups.append(read_group(line))
            except ValueError:
                continue
    return Thesaurus(groups)
