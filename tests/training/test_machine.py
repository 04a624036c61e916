"""When compiling is chosen, and what is compiled then."""

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounter

from sct.core.errors import SctError
from sct.models.light_unet import LightUNet
from sct.training.machine import choose_compile, compile_fault, compiled_training

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("wanted", "device", "steps_per_epoch", "max_epochs", "compiles"),
    [
        (True, CPU, 1, 1, True),
        (False, GPU, 10**6, 100, False),
        ("auto", CPU, 10**6, 100, False),
        ("auto", GPU, 10**5, 1, True),
        ("auto", GPU, 43, 100, False),  # a fold of sixteen patients
        ("auto", GPU, 43, 10**6, False),  # which patience ends just as early
        ("auto", GPU, 400, 100, True),
    ],
)
def test_compiling_must_repay_itself(wanted, device, steps_per_epoch, max_epochs, compiles, monkeypatch):
    monkeypatch.setattr("sct.training.machine.compile_fault", lambda _: "")
    assert choose_compile(wanted, device, steps_per_epoch, max_epochs) == compiles


def test_a_machine_without_a_compiler_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))  # what was compiled before needs none
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", (None, str(tmp_path / "g++")))
    torch._dynamo.reset()
    fault = compile_fault(CPU)
    assert "C++ compiler" in fault
    assert "\n" not in fault


def test_without_a_compiler_only_who_asked_for_one_is_stopped(monkeypatch, capsys):
    monkeypatch.setattr("sct.training.machine.compile_fault", lambda _: "no compiler")
    assert not choose_compile("auto", GPU, 10**5, 1)
    assert "without compiling, which torch cannot do here: no compiler" in capsys.readouterr().err
    assert not choose_compile(False, GPU, 10**5, 1)
    with pytest.raises(SctError, match=r"trainer.compile=True: .*no compiler.*; false trains without"):
        choose_compile(True, CPU, 1, 1)


def test_one_graph_is_compiled_whatever_is_predicted_beside_training():
    torch.manual_seed(0)
    network, graphs = LightUNet((2, 4)), CompileCounter()
    torch._dynamo.reset()
    with compiled_training(network, backend=graphs):
        for _ in range(2):  # epochs: whole batches, a smaller last one, and validation with a smaller last one
            network.train()
            for n in (4, 4, 3):
                network(torch.rand(n, 1, 16, 16)).mean().backward()
            network.eval()
            for n in (4, 1):
                with torch.no_grad():
                    network(torch.rand(n, 1, 16, 16))
    assert graphs.frame_count == 1
    for n in (5, 2, 1):
        with torch.inference_mode():
            network(torch.rand(n, 1, 16, 16))
    assert graphs.frame_count == 1
    assert "forward" not in vars(network)


def test_a_compiled_step_is_the_eager_step():
    def gradients(compiled):
        torch.manual_seed(0)
        network, graphs = LightUNet((2, 4)), CompileCounter()
        torch._dynamo.reset()
        images = torch.rand(4, 1, 16, 16)
        if compiled:
            with compiled_training(network, backend=graphs):
                network(images).mean().backward()
            assert graphs.op_count > 0
        else:
            network(images).mean().backward()
        return [parameter.grad for parameter in network.parameters()], network.state_dict()

    (eager, state), (compiled, other_state) = gradients(False), gradients(True)
    for one, other in zip(eager, compiled, strict=True):
        torch.testing.assert_close(one, other)
    assert state.keys() == other_state.keys()
    for name in state:
        torch.testing.assert_close(state[name], other_state[name])


def test_the_network_is_itself_again_after_an_error():
    network = nn.Conv2d(1, 1, 1)
    with pytest.raises(RuntimeError, match="within"), compiled_training(network, backend="eager"):
        raise RuntimeError("within")
    assert "forward" not in vars(network)
