"""The assert forms of all checks, with their types: each raises where its promise is not kept."""

from __future__ import annotations

from pytest_modelcheck.checks.accuracy import accuracy
from pytest_modelcheck.checks.attention import attention
from pytest_modelcheck.checks.conformance import tokenizer_conforms
from pytest_modelcheck.checks.embeddings import embedding_table, nearer
from pytest_modelcheck.checks.invariances import (
    batch_invariant,
    causal,
    order_sensitive,
    padding_invariant,
    permutation_equivariant,
)
from pytest_modelcheck.checks.metric import metric
from pytest_modelcheck.checks.parameters import parameters
from pytest_modelcheck.checks.recipe import recipe
from pytest_modelcheck.checks.shape import shape
from pytest_modelcheck.checks.summary import flops, summary
from pytest_modelcheck.checks.token_ids import token_ids
from pytest_modelcheck.checks.tokenizer import roundtrip
from pytest_modelcheck.checks.vocabulary import vocabulary, vocabulary_fits

assert_accuracy = accuracy.assert_form
assert_attention = attention.assert_form
assert_batch_invariant = batch_invariant.assert_form
assert_causal = causal.assert_form
assert_embedding_table = embedding_table.assert_form
assert_flops = flops.assert_form
assert_metric = metric.assert_form
assert_nearer = nearer.assert_form
assert_order_sensitive = order_sensitive.assert_form
assert_padding_invariant = padding_invariant.assert_form
assert_parameters = parameters.assert_form
assert_permutation_equivariant = permutation_equivariant.assert_form
assert_recipe = recipe.assert_form
assert_roundtrip = roundtrip.assert_form
assert_shape = shape.assert_form
assert_summary = summary.assert_form
assert_token_ids = token_ids.assert_form
assert_tokenizer_conforms = tokenizer_conforms.assert_form
assert_vocabulary = vocabulary.assert_form
assert_vocabulary_fits = vocabulary_fits.assert_form
