"""A tiny Llama of random weights with a byte-level tokenizer, for servers that need a model of the Hugging Face kind.

Run by the interpreter of a part that has `transformers` and `torch`; it writes a folder that vLLM can load:

    python tiny_model.py FOLDER TEMPLATE
"""

from __future__ import annotations

import sys
from pathlib import Path


def main(folder: Path, template: Path) -> None:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    torch.manual_seed(7)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    # vLLM refuses to start the parsers of Hermes and Llama where the tokenizer lacks their tokens.
    special = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<|python_tag|>"]
    vocabulary = {text: number for number, text in enumerate([*special, *alphabet])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(special[:2])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    tokenizer.chat_template = template.read_text(encoding="utf-8")
    tokenizer.save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(vocabulary),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=8192,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    model = LlamaForCausalLM(config).to(torch.float32)
    # Its random words hold no markup: these tokens are never the likeliest, and the server samples no others.
    model.lm_head.weight.data[[number for number, text in enumerate(special) if text != "<|im_end|>"]] = 0
    model.generation_config.do_sample, model.generation_config.top_k = True, 1
    model.save_pretrained(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
