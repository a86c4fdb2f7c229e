"""What takes the place of names that scripts import from transformers."""

from __future__ import annotations

import fnmatch
import re

from tf_longformer.heads import HEADS

_FIT = "Call `model.compile(optimizer)` and `model.fit(data)`."
_COLLATOR = "Use `tf_longformer.PaddingCollator(tokenizer)`."
# By name or pattern; the first one that fits counts.
_INSTEAD = {
    "create_optimizer": "Use `tf_longformer.make_optimizer(3e-5, steps)`, a "
    "`keras.optimizers.AdamW` that warms up.",
    "AdamWeightDecay": "Use `keras.optimizers.AdamW(weight_decay=0.01)` and "
    "its `exclude_from_weight_decay(var_names=['bias', 'gamma', 'beta'])`.",
    "WarmUp": "Use `tf_longformer.WarmUpSchedule(3e-5, steps, warmup_steps)`.",
    "GradientAccumulator": "Pass `gradient_accumulation_steps` to an optimizer "
    "of Keras.",
    "KerasMetricCallback": "Pass `metrics` to `compile`, or compute the metric "
    "from `model.predict` in a `keras.callbacks.LambdaCallback`.",
    "PushToHubCallback": "Call `model.push_to_hub(repo_id)` after `fit`, or in "
    "a `keras.callbacks.LambdaCallback(on_epoch_end=...)`.",
    "DataCollatorForLanguageModeling": "Use "
    "`tf_longformer.MaskedLanguageModelCollator(tokenizer)`.",
    "DataCollatorForWholeWordMask": "Use "
    "`tf_longformer.MaskedLanguageModelCollator(tokenizer)`.",
    "DataCollatorForMultipleChoice": "Use `tf_longformer.encode_choices`.",
    "DataCollator*": _COLLATOR,
    "DefaultDataCollator": _COLLATOR,
    "default_data_collator": _COLLATOR,
    "pipeline": "Use `answer`, `classify`, `fill_mask` or `tag` of "
    "`tf_longformer.tasks`: `tag(model, tokenizer, texts)`.",
    "*Pipeline": "Use `answer`, `classify`, `fill_mask` or `tag` of "
    "`tf_longformer.tasks`.",
    "AutoConfig": "Use `tf_longformer.LongformerConfig`.",
    "PretrainedConfig": "Use `tf_longformer.LongformerConfig`.",
    "*Tokenizer*": "Use `tf_longformer.LongformerTokenizerFast`.",
    "*PreTrainedModel": "Use `tf_longformer.TFLongformerPreTrainedModel`.",
    "TFRoberta*": "A RoBERTa becomes a Longformer: "
    "`tf_longformer.TFLongformerModel.from_pretrained(name, "
    "attention_window=512)`.",
    "*Trainer": _FIT,
    "*TrainingArguments": _FIT,
    "get_*_schedule*": "Use one of `keras.optimizers.schedules`.",
    "set_seed": "Call `keras.utils.set_random_seed(seed)`.",
    "shape_list": "Use `keras.ops.shape(tensor)`.",
    "*Auto*": "Use the class itself, such as "
    "`tf_longformer.LongformerTokenizerFast`.",
    "logging": "Messages are those of `logging.getLogger('tf_longformer')`.",
}
_CLASSES_OF_MODELS = re.compile(r"(TF|Flax)?(AutoModel|Longformer)(For)?(.*)")
_OTHER_TASKS = {"PreTraining": "MaskedLM", "WithLMHead": "MaskedLM"}


def instead_of(name: str) -> str:
    """Returns a sentence on what to use, empty for a name that isn't known."""
    model = _CLASSES_OF_MODELS.fullmatch(name)
    if model is None or "Tokenizer" in name:
        known = (p for p in _INSTEAD if fnmatch.fnmatchcase(name, p))
        return _INSTEAD.get(next(known, ""), "")
    task = _OTHER_TASKS.get(model[4], model[4])
    if f"LongformerFor{task}" in HEADS:
        return f"Use `tf_longformer.TFLongformerFor{task}`."
    return "Use `tf_longformer.TFLongformerModel` or a class with a head."
