import time
DEF='''import nbflow, time
nbflow.configure(store=":memory:", max_workers=4)
@nbflow.activity
def fetch(region, rows=5):
    time.sleep(.8 + .3*len(region)); return list(range(rows))
@nbflow.activity
def convert(x, rate):
    time.sleep(1.2); return sum(x)*rate
@nbflow.activity
def total(*xs):
    time.sleep(.7); return sum(xs)
@nbflow.workflow
def revenue(regions, rate=1.08):
    return {"total": total(*[convert(fetch(r), rate) for r in regions]), "regions": regions}
'''
def test_try(notebook, tmp_path):
    nb = notebook(DEF, 'run = revenue(["eu","us","ap","mars","x"])\nrun', "print('free')")
    nb.run()
    print(nb.text(0), nb.text(1), nb.text(2))
    nb.wait_for("document.querySelector('.nbf')")
    nb.wait_for("document.querySelectorAll('.nbf-node[data-status=done]').length >= 2")
    nb.shot("/tmp/a1.png")
    nb.page.click(".nbf-tab >> nth=1"); nb.page.wait_for_timeout(300)
    nb.shot("/tmp/a2.png")
    nb.wait_for("document.querySelector('.nbf')?.dataset.status === 'completed'")
    nb.page.wait_for_timeout(800)
    nb.shot("/tmp/a3.png")
    nb.page.click(".nbf-tab >> nth=0"); nb.page.wait_for_timeout(300)
    nb.shot("/tmp/a4.png")
    print(nb.page.evaluate("() => [...document.querySelectorAll('.jp-OutputArea-child')].map(e => e.outerHTML.slice(0,900)).join('\\n\\n')"))
    print([ (list(o.get('data',{})), str(o.get('data',{}).get('text/plain'))[:200]) for o in nb.outputs(1)], nb.errors)
    nb.command("apputils:change-theme") if 0 else nb.page.evaluate("() => window.jupyterapp.commands.execute('apputils:change-theme', {theme:'JupyterLab Dark'})")
    nb.page.wait_for_timeout(1000)
    nb.shot("/tmp/a5.png")
    nb.page.click(".nbf-tab >> nth=1"); nb.page.wait_for_timeout(300)
    nb.shot("/tmp/a6.png")
