"""Names and shapes of the weights that torchvision publishes, written down from its documented structure."""

VGG16_CONVOLUTIONS = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
    17: (256, 512),
    19: (512, 512),
    21: (512, 512),
    24: (512, 512),
    26: (512, 512),
    28: (512, 512),
}


def vgg16():
    """Thirteen convolutions of 3x3 and three linear layers, all with biases."""
    for layer, (read, given) in VGG16_CONVOLUTIONS.items():
        yield f"features.{layer}.weight", (given, read, 3, 3)
        yield f"features.{layer}.bias", (given,)
    for layer, read, given in ((0, 512 * 7 * 7, 4096), (3, 4096, 4096), (6, 4096, 1000)):
        yield f"classifier.{layer}.weight", (given, read)
        yield f"classifier.{layer}.bias", (given,)


def resnet18():
    """A stem, four stages of two blocks of two convolutions, a linear layer."""
    yield from _stem()
    for stage, (before, width) in enumerate(((64, 64), (64, 128), (128, 256), (256, 512)), start=1):
        for block in range(2):
            name, read = f"layer{stage}.{block}", before if block == 0 else width
            yield from _convolution(f"{name}.conv1", f"{name}.bn1", read, width, 3)
            yield from _convolution(f"{name}.conv2", f"{name}.bn2", width, width, 3)
            if stage > 1 and block == 0:
                yield from _convolution(f"{name}.downsample.0", f"{name}.downsample.1", read, width, 1)
    yield from (("fc.weight", (1000, 512)), ("fc.bias", (1000,)))


def resnet50():
    """A stem, stages of three, four, six and three blocks of three convolutions, a linear layer."""
    yield from _stem()
    before = 64
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            yield from _convolution(f"{name}.conv1", f"{name}.bn1", before, width, 1)
            yield from _convolution(f"{name}.conv2", f"{name}.bn2", width, width, 3)
            yield from _convolution(f"{name}.conv3", f"{name}.bn3", width, 4 * width, 1)
            if block == 0:
                yield from _convolution(f"{name}.downsample.0", f"{name}.downsample.1", before, 4 * width, 1)
            before = 4 * width
    yield from (("fc.weight", (1000, 2048)), ("fc.bias", (1000,)))


def _stem():
    return _convolution("conv1", "bn1", 3, 64, 7)


def _convolution(name, normalisation, read, given, side):
    """A convolution without bias, and the batch normalisation behind it."""
    yield f"{name}.weight", (given, read, side, side)
    for part in ("weight", "bias", "running_mean", "running_var"):
        yield f"{normalisation}.{part}", (given,)
    yield f"{normalisation}.num_batches_tracked", ()
