import time, pytest, random
from tests.magics.test_kernels import Front, fresh, front, session_front
pytestmark=[pytest.mark.timeout(300)]
@pytest.mark.parametrize("seed", range(3))
def test_plain(front, seed):
    chance = random.Random(seed)
    for n in range(8):
        w = front.start("print('waiting', flush=True)\nimport asyncio\nawait asyncio.sleep(10)")
        front.until(lambda: "waiting\n" in front.text(w))
        front.manager.interrupt_kernel()
        time.sleep(chance.random()*0.05)
        front.manager.interrupt_kernel()
        try:
            front.until(lambda: front._replies(w), 15)
        except AssertionError:
            pytest.fail(f"no reply in trial {n}")
