"""Handwritten digits: the data, the network, its LightningModule and the training command."""
