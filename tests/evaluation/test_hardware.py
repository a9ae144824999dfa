"""What a measurement ran on is told in one line."""

from __future__ import annotations

import torch

from masklet.evaluation.hardware import Hardware, _processor, hardware


def test_this_machine():
    found = hardware()
    assert found.cores >= 1
    assert found.processor
    assert (found.threads, found.gpu, found.torch) == (torch.get_num_threads(), None, torch.__version__)
    assert hardware("mps").gpu == "mps"


def test_the_model_of_the_processor_is_read(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nmodel name\t: Some CPU @ 2.0GHz\nmodel name\t: Other\n")
    assert _processor(tmp_path / "cpuinfo") == "Some CPU @ 2.0GHz"
    assert _processor(tmp_path / "missing")


def test_one_line():
    one = Hardware("Some CPU", 8, 4, None, "2.5.0")
    assert str(one) == "Some CPU, 8 cores, 4 torch threads, torch 2.5.0"
    assert str(Hardware("Some CPU", 8, 4, "A100", "2.5.0")).startswith("A100, Some CPU")
