"""The transformer from scratch gives what torch's own gives, with the same weights and the same masks."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from modelrepo.transformer.decoder import DecoderBlock
from modelrepo.transformer.encoder import EncoderBlock
from modelrepo.transformer.mask import padding_mask, subsequent_mask
from modelrepo.transformer.multihead import MultiHeadAttention

BATCH, TOKENS, SOURCES, DIM, HEADS, HIDDEN = 3, 7, 5, 32, 4, 64


@pytest.fixture
def states():
    return torch.randn(BATCH, TOKENS, DIM, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def memory():
    return torch.randn(BATCH, SOURCES, DIM, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def real():
    """Which sources are no padding, `[batch, sources]`."""
    return torch.arange(SOURCES) < torch.tensor([[5], [2], [4]])


@pytest.fixture(autouse=True)
def trained(modelcheck):
    """The layers are drawn from the gate's seed, and nothing is learnt."""
    torch.manual_seed(modelcheck.seed)
    with torch.no_grad():
        yield


def shaken(module):
    """Biases and norms start as zeros and ones: other numbers, so that none is left out unnoticed."""
    for parameter in module.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()


def take_over(torchs, own):
    """Give torch's layer the weights of ours; an attention has those of query, key and value in one matrix."""
    if isinstance(own, MultiHeadAttention):
        parts = (own.query, own.key, own.value)
        torchs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        torchs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        torchs, own = torchs.out_proj, own.output
    torchs.load_state_dict(own.state_dict())


@pytest.mark.modelcheck
def test_attention_is_that_of_torch(states, memory, real):
    own, torchs = shaken(MultiHeadAttention(DIM, HEADS)), nn.MultiheadAttention(DIM, HEADS, batch_first=True)
    take_over(torchs, own)
    found, weights = own(states, memory, padding_mask(real))
    expected, shares = torchs(states, memory, memory, key_padding_mask=~real, average_attn_weights=False)
    assert_close(weights, shares)
    assert_close(found, expected)


@pytest.mark.modelcheck
def test_the_encoder_block_is_that_of_torch(states):
    own = shaken(EncoderBlock(DIM, HEADS, HIDDEN))
    torchs = nn.TransformerEncoderLayer(DIM, HEADS, HIDDEN, dropout=0.0, batch_first=True).eval()
    take_over(torchs.self_attn, own.attention)
    take_over(torchs.norm1, own.attention_norm)
    take_over(torchs.linear1, own.feed_forward[0])
    take_over(torchs.linear2, own.feed_forward[2])
    take_over(torchs.norm2, own.feed_forward_norm)
    real = torch.arange(TOKENS) < torch.tensor([[7], [3], [5]])
    found, _ = own(states, padding_mask(real))
    expected = torchs(states, src_key_padding_mask=~real)
    assert_close(found[real], expected[real])


@pytest.mark.modelcheck
def test_the_decoder_block_is_that_of_torch(states, memory, real):
    own = shaken(DecoderBlock(DIM, HEADS, HIDDEN))
    torchs = nn.TransformerDecoderLayer(DIM, HEADS, HIDDEN, dropout=0.0, batch_first=True).eval()
    take_over(torchs.self_attn, own.self_attention)
    take_over(torchs.norm1, own.self_attention_norm)
    take_over(torchs.multihead_attn, own.cross_attention)
    take_over(torchs.norm2, own.cross_attention_norm)
    take_over(torchs.linear1, own.feed_forward[0])
    take_over(torchs.linear2, own.feed_forward[2])
    take_over(torchs.norm3, own.feed_forward_norm)
    found, _, _ = own(states, memory, subsequent_mask(TOKENS), padding_mask(real))
    expected = torchs(
        states,
        memory,
        tgt_mask=nn.Transformer.generate_square_subsequent_mask(TOKENS),
        tgt_is_causal=True,
        memory_key_padding_mask=~real,
    )
    assert_close(found, expected)
