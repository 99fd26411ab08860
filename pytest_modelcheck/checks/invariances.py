"""Promises of what a model's outputs depend on: the order of tokens, padding, the rest of a batch, the future."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pytest_modelcheck.checks.probed import (
    AtLeastOne,
    AxisOf,
    Finding,
    Names,
    axes_of,
    decisive,
    judged,
    names_of,
    probe_of,
    shuffled_outputs,
)
from pytest_modelcheck.checks.promises import Count, Positive, one_of
from pytest_modelcheck.errors import ModelCheckError
from pytest_modelcheck.mechanism import check
from pytest_modelcheck.models.batching import all_alike, alone, batch_axes, batch_size, sample_of
from pytest_modelcheck.models.other_tokens import with_other_tokens
from pytest_modelcheck.models.padding import padded, require_paddable, without_padding
from pytest_modelcheck.models.probing import Axes
from pytest_modelcheck.models.tokens import part_of, sequence_axes, spread, tokens_of, without_masked
from pytest_modelcheck.result import Result

if TYPE_CHECKING:
    from torch.nn import Module

_CUTS = 8


@check
def order_sensitive(
    model: Module,
    inputs: Any,
    /,
    *,
    dim: AxisOf = 1,
    tokens: Names | None = None,
    outputs: Names | None = None,
    tolerance: Positive | None = None,
) -> Result:
    """Shuffling the tokens changes the outputs by more than the tolerance: the model sees their order.

    Three shuffles are drawn from the seed, and each of them changes some output, read back in the old order where an
    output has an axis of tokens. What is shuffled along `dim` are `input_ids`, or `inputs_embeds`, with
    `attention_mask` and `token_type_ids`; of other inputs the only tensor there is, or those that `tokens` names.
    Padding is not looked at. `outputs` names those that are compared, and `dim` may be a mapping,
    `{"output": 0, "inputs": 1}`, with `None` for what has no axis of tokens. `tolerance` is absolute; without one it
    follows from the dtype and the device, times the largest magnitude of the output where that exceeds 1.

    Raises `ModelCheckError` where all tokens are the same, and for a model that is random in itself.

    >>> import torch
    >>> words, ids = torch.nn.Embedding(9, 4), torch.tensor([[1, 2, 3, 4]])
    >>> order_sensitive(torch.nn.Sequential(words, torch.nn.GRU(4, 4, batch_first=True)), ids).ok
    True
    >>> print(order_sensitive(words, ids, tolerance=0.001).message)  # doctest: +NORMALIZE_WHITESPACE
    order_sensitive of Embedding: shuffle 1 of 3 changes output at [0, 0, 0] by 0, and no output by more than 0.001:
    the model does not see the order of its tokens. Are positions added to them?
    """
    probe = probe_of(model, outputs, tolerance)

    def measure() -> Finding:
        return decisive(shuffled_outputs(probe, inputs, dim, names_of(tokens)).findings, least=True)

    return judged(
        probe,
        "shuffled tokens change the outputs",
        measure,
        reason="the model does not see the order of its tokens. Are positions added to them?",
        sensitive=True,
    )


@check
def permutation_equivariant(
    model: Module,
    inputs: Any,
    /,
    *,
    dim: AxisOf = 1,
    tokens: Names | None = None,
    outputs: Names | None = None,
    tolerance: Positive | None = None,
) -> Result:
    """Shuffling the inputs shuffles the outputs in the same way and changes nothing else, to the tolerance.

    An output that has no axis of tokens does not change at all. Arguments, shuffles and the tolerance are those of
    `order_sensitive`.

    Raises `ModelCheckError` also where the outputs are constant.

    >>> import torch
    >>> words, ids = torch.nn.Embedding(9, 4), torch.tensor([[1, 2, 3, 4]])
    >>> permutation_equivariant(words, ids).ok
    True
    >>> permutation_equivariant(torch.nn.GRU(4, 4, batch_first=True), words(ids), outputs="0").ok
    False
    """
    probe = probe_of(model, outputs, tolerance)

    def measure() -> Finding:
        seen = shuffled_outputs(probe, inputs, dim, names_of(tokens))
        worst = decisive(seen.findings)
        if worst.difference.tolerated and not seen.depends():
            raise ModelCheckError(
                "the output does not depend on the order of its inputs at all, because it is constant: it is the same "
                "for other inputs"
            )
        return worst

    return judged(
        probe, "shuffled inputs shuffle the outputs", measure, reason="the model sees the order of its inputs."
    )


@check
def padding_invariant(
    model: Module,
    inputs: Any,
    /,
    *,
    side: Annotated[str, one_of("left", "right")],
    pad_token_id: Count | None = None,
    max_pad: AtLeastOne = 8,
    outputs: Names | None = None,
    tolerance: Positive | None = None,
) -> Result:
    """Padding on this side changes nothing at the places of the real tokens, to the tolerance.

    The inputs are a tokenizer's: a mapping with `input_ids` and `attention_mask`, each `[batch, tokens]`. One pad token
    is added, then twice as many each time up to `max_pad`, and the mask hides them. An output that becomes longer is
    compared where the tokens are real, any other one as a whole. The pad token is that of the model's configuration, or
    `pad_token_id`. `outputs` and `tolerance` are those of `order_sensitive`.

    Raises `ModelCheckError` where the pad token is not known, and where the outputs do not depend on the tokens.

    >>> import torch
    >>> class Mean(torch.nn.Embedding):
    ...     def forward(self, input_ids, attention_mask):
    ...         return super().forward(input_ids).mean(1)
    >>> given = {"input_ids": torch.tensor([[1, 2]]), "attention_mask": torch.ones(1, 2)}
    >>> padding_invariant(Mean(9, 4), given, side="right", pad_token_id=0).ok
    False
    """
    probe = probe_of(model, outputs, tolerance)

    def measure() -> Finding:
        require_paddable(inputs)
        pad = (
            pad_token_id if pad_token_id is not None else getattr(getattr(model, "config", None), "pad_token_id", None)
        )
        if pad is None:
            raise ModelCheckError("the pad token is not known: the model's configuration has none. Give pad_token_id=")
        before = probe.reference(inputs)
        findings = []
        for number in _doubling(max_pad):
            after = probe.outputs(padded(inputs, number, side, pad))
            apart = probe.largest(*without_padding(after, before, number, side))
            done = f"{number} pad tokens on the {side} change" if number > 1 else f"1 pad token on the {side} changes"
            findings.append(Finding(apart, done, {"pads": number, "side": side, "pad_token_id": pad}))
        worst = decisive(findings)
        found = tokens_of(inputs, Axes(1), ("input_ids",), least=1)
        other = probe.outputs(padded(with_other_tokens(model, inputs, found), max_pad, side, pad))
        if worst.difference.tolerated and not probe.largest(*without_padding(other, before, max_pad, side)).seen:
            raise ModelCheckError("the outputs are the same for other tokens: nothing says that padding has no part")
        return worst

    hint = "Is the mask used?" if side == "right" else "Is the mask used, and do positions count from the left?"
    return judged(
        probe, f"up to {max_pad} pad tokens on the {side} change nothing", measure, reason=f"padding is seen. {hint}"
    )


def _doubling(most: int) -> list[int]:
    """1, 2, 4 and so on, and the last one."""
    return [*(2**power for power in range(most.bit_length()) if 2**power < most), most]


@check
def batch_invariant(
    model: Module,
    inputs: Any,
    /,
    *,
    batch_dim: AxisOf = 0,
    outputs: Names | None = None,
    tolerance: Positive | None = None,
) -> Result:
    """Each sample alone gives what it gives in the batch, to the tolerance.

    `batch_dim` is the axis of the batch, of every tensor in the inputs and the outputs; axes are not guessed. Where
    they are not all the same, it is a mapping, and what it does not name has axis 0: `{"1": 1}` for the states of
    `nn.GRU(batch_first=True)`, `{"inputs": 1, "output": 1}`, or `{"inputs.mask": None}` for what is given whole and
    compared whole. `outputs` and `tolerance` are those of `order_sensitive`.

    Raises `ModelCheckError` for a batch of one sample or of samples that are all the same, where an axis is not that of
    the batch, and where the outputs do not depend on the sample.

    >>> import torch
    >>> rows = torch.tensor([[[1.0, 5.0]], [[2.0, 4.0]]])
    >>> batch_invariant(torch.nn.Linear(2, 3), rows).ok
    True
    >>> batch_invariant(torch.nn.BatchNorm1d(1, track_running_stats=False), rows).ok
    False
    >>> batch_invariant(torch.nn.GRU(2, 3, batch_first=True), rows, batch_dim={"1": 1}).ok
    True
    """
    probe, axes = probe_of(model, outputs, tolerance), axes_of(batch_dim, 0)

    def measure() -> Finding:
        size = batch_size(inputs, axes)
        before = probe.reference(inputs)
        axes.require_known(inputs, before.tensors)
        places = batch_axes(before, size, axes)
        findings = []
        for sample in range(size):
            after = alone(probe, inputs, sample, axes)
            one = sample_of(before, sample, places, after)
            findings.append(
                Finding(probe.largest(one, after), f"taking sample {sample} alone changes", {"sample": sample})
            )
        worst = decisive(findings)
        if worst.difference.tolerated and all_alike(before, places):
            raise ModelCheckError("the outputs are the same for every sample: nothing says that others have no part")
        return worst

    return judged(
        probe, "each sample alone gives the same", measure, reason="the samples of a batch are seen by each other."
    )


@check
def causal(
    model: Module,
    inputs: Any,
    /,
    *,
    dim: AxisOf = 1,
    tokens: Names | None = None,
    outputs: Names | None = None,
    tolerance: Positive | None = None,
) -> Result:
    """Changing later tokens changes nothing earlier, to the tolerance: no token sees what comes after it.

    At up to eight places all tokens from there on are replaced by others. Of the inputs, `decoder_input_ids` are
    changed, or else `input_ids`, or the only tensor there is, or what `tokens` names; each output that is compared has
    an axis of tokens. `dim`, `outputs` and `tolerance` are those of `order_sensitive`.

    Raises `ModelCheckError` for an output without an axis of tokens, and where the last token changes nothing at all.

    >>> import torch
    >>> row = torch.arange(10.0).reshape(1, 5, 2)
    >>> causal(torch.nn.GRU(2, 3, batch_first=True), row, outputs="0").ok
    True
    >>> causal(torch.nn.GRU(2, 3, batch_first=True, bidirectional=True), row, outputs="0").ok
    False
    """
    probe, axes = probe_of(model, outputs, tolerance), axes_of(dim, 1)

    def measure() -> Finding:
        found = tokens_of(inputs, axes, names_of(tokens), read=True)
        before = probe.reference(inputs)
        places = sequence_axes(probe, before, found, axes)
        length = found.last_real + 1
        if length < 2:
            raise ModelCheckError("there is 1 token that is no padding, and two are needed")
        findings = []
        for cut in spread(length - 1, _CUTS):
            after = probe.outputs(with_other_tokens(model, inputs, found, cut))
            runs = [without_masked(run, places, found.real) for run in (before, after)]
            apart = probe.largest(*(part_of(run, places, 0, cut) for run in runs))
            findings.append(Finding(apart, f"replacing the tokens from {cut} on changes", {"cut": cut}))
        worst = decisive(findings)
        later = probe.largest(*(part_of(run, places, length - 1, found.length) for run in runs))
        if worst.difference.tolerated and not later.seen:
            raise ModelCheckError(
                "changing the last token changes nothing, not at its own place either: the outputs do not depend on it"
            )
        return worst

    return judged(probe, "later tokens change nothing earlier", measure, reason="a token sees what comes after it.")
