"""What a training step keeps of the forward pass for the backward pass.

Told from the graph: TensorFlow runs an operation as soon as its inputs are
there, so that what the backward pass recomputes has to wait for the gradient.
"""

from __future__ import annotations

import pytest
import tensorflow as tf
from helpers import tiny

from tf_longformer import TFLongformerEncoder

SEQ, HIDDEN = 512, 8
# Operations that hand on what they get.
SAME = ("Identity", "IdentityN", "Reshape")


def make_layer(num_layers):
    layer = TFLongformerEncoder(
        num_layers=num_layers,
        num_heads=2,
        intermediate_size=4 * HIDDEN,
        attention_window=16,
    )
    layer.build((None, None, HIDDEN))
    return layer


@pytest.fixture(scope="module")
def graph():
    """The graph of a step, and the operation that ends the forward pass."""
    layer = make_layer(num_layers=1)
    # Makes no function of the layer, which would hide what is in it.
    layer.blocks[0].attention.query.bias.trainable = False
    return trace(layer)


def trace(layer):
    @tf.function
    def step(x, mask, global_mask):
        with tf.GradientTape() as tape:
            output = layer(x, mask, global_mask, training=True)
        # The gradient of half of its square.
        return output, tape.gradient(output, layer.trainable_variables, output)

    mask = tf.TensorSpec((1, SEQ), tf.int32)
    function = step.get_concrete_function(
        tf.TensorSpec((1, SEQ, HIDDEN)), mask, mask
    )
    return function.graph, origin(function.graph.outputs[0]).op


def test_a_function_keeps_no_more():
    """Layers that are traced once hand over what they keep."""
    graph, _ = trace(make_layer(num_layers=2))
    functions = {
        function.signature.name: function
        for function in graph.as_graph_def().library.function
    }
    first, *others = [
        operation
        for operation in graph.get_operations()
        if operation.type == "PartitionedCall"
    ]
    assert len(others) == 3
    name = first.get_attr("f").name
    assert [x.get_attr("f").name == name for x in others] == [True] + 2 * [
        False
    ]
    function = functions[name]
    nodes = {node.name: node for node in function.node_def}

    def source(tensor):
        node, _, number = (*tensor.split(":"), "", "")[:3]
        if node in nodes and nodes[node].op in (*SAME, "ExpandDims"):
            several = nodes[node].op == "IdentityN"
            return source(nodes[node].input[int(number) if several else 0])
        return tensor

    kept = {
        source(function.ret[argument.name]): width(output)
        for argument, output in zip(
            function.signature.output_arg, first.outputs, strict=True
        )
    }
    arguments = {argument.name for argument in function.signature.input_arg}
    # As above, and the layer's output.
    assert sum(kept[name] for name in kept.keys() - arguments) == 13, kept


def origin(tensor):
    while tensor.op.type in SAME:
        several = tensor.op.type == "IdentityN"
        tensor = tensor.op.inputs[tensor.value_index if several else 0]
    return tensor


def before(op):
    found, left = set(), [op]
    while left:
        op = left.pop()
        if op not in found:
            found.add(op)
            left += [x.op for x in op.inputs] + list(op.control_inputs)
    return found


def after(graph, op):
    found = {op}
    for op in graph.get_operations():
        if any(x.op in found for x in op.inputs) or any(
            x in found for x in op.control_inputs
        ):
            found.add(op)
    return found


def width(tensor):
    """Numbers a token, in units of the hidden width; 0 for what has none."""
    size = tensor.shape.num_elements() or 0
    return size / SEQ / HIDDEN if size >= SEQ * HIDDEN // 2 else 0


def test_little_is_kept(graph):
    graph, end = graph
    forward, backward = before(end), after(graph, end)
    kept = {
        origin(x).name: width(x)
        for op in backward - forward
        for x in op.inputs
        if origin(x).op in forward and origin(x).op.type != "Placeholder"
    }
    # Query, key, value, what attention gives with and without global tokens,
    # two sums and a norm's output; the inner part is four times as wide.
    assert sum(kept.values()) < 16, kept


def test_nothing_is_recomputed_early(graph):
    graph, end = graph
    forward, backward = before(end), after(graph, end)
    # The seeds of the tape's gradients where there are none.
    early = {
        x.name
        for op in graph.get_operations()
        if op not in forward | backward and op.type not in (*SAME, "Fill")
        for x in op.outputs
        if width(x)
    }
    assert not early


def test_loops_wait_for_the_gradient(graph):
    """Steps of a loop start with what they have, many at a time."""
    graph, end = graph
    forward, backward = before(end), after(graph, end)
    waiting = 0
    for op in backward - forward:
        if op.type.endswith(("While", "If")):
            given = {x.name for x in op.inputs if width(x)}
            ready = {x.name for x in op.inputs if x.op not in backward}
            # The output alone, which only the gradient is multiplied by.
            assert len(given & ready) <= 1, (op.name, given & ready)
            waiting += 1
    assert waiting


def test_a_masked_lm_loss_needs_no_logits():
    """They are in the graph, and nothing that is asked for needs them."""
    model = tiny.make_model("ForMaskedLM")
    inputs = tiny.make_inputs("ForMaskedLM")
    labels = tiny.make_labels("ForMaskedLM")["labels"]

    @tf.function
    def step(inputs, labels):
        with tf.GradientTape() as tape:
            outputs = model(inputs, labels=labels, training=True)
        weights = [weight.value for weight in model.trainable_weights]
        return (
            outputs.logits,
            outputs.loss,
            tape.gradient(outputs.loss, weights),
        )

    graph = step.get_concrete_function(inputs, labels).graph
    logits, *others = graph.outputs
    assert logits.shape[-1] == model.config.vocab_size
    needed = set().union(*(before(tensor.op) for tensor in others))
    assert origin(logits).op not in needed
