"""Every method and track on a GPU that is not there: tensors of two devices that mix are found without one."""
