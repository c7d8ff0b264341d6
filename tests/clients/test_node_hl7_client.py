"""npm's node-hl7-client sends to the gateway as it is, and reads its acknowledgements."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.config import Hl7, Keeping
from gateway.listening import Listener
from gateway.spool import opened
from tests.gateway.test_messages import oru
from tests.gateway.test_orders import message

pytestmark = pytest.mark.journey

SCRIPT = """
const { Client, Message } = require('node-hl7-client');
const [, , port, path] = process.argv;
const texts = JSON.parse(require('fs').readFileSync(path, 'utf8'));
const client = new Client({ host: '127.0.0.1', version: '2.5.1' });
let heard = 0;
const line = client.createConnection({ port: Number(port) }, async (answer) => {
  const said = answer.getMessage();
  console.log(said.get('MSA.1').toString(), said.get('MSA.2').toString());
  heard += 1;
  if (heard < texts.length) await line.sendMessage(new Message({ text: texts[heard] }));
  else process.exit(0);
});
line.sendMessage(new Message({ text: texts[0] }));
"""


def test_it_sends_an_order_a_result_and_a_merge(packages: Path, tmp_path: Path) -> None:
    node = shutil.which("node")
    if not node:
        pytest.skip("no node on this machine")
    texts = [
        message(state="S"),
        oru("TX|||Lungs clear.").replace("MSG-1", "MSG-2"),
        message("ADT^A40", obr="", control="", more="MRG|OLD-7").replace("MSG-1", "MSG-3"),
        oru().replace("MSG-1", "MSG-4"),
    ]
    said, script = tmp_path / "messages.json", packages / "send.cjs"
    said.write_text(json.dumps([text.rstrip("\r") for text in texts]))
    script.write_text(SCRIPT)
    with opened(Keeping(tmp_path / "spool", least_free_mb=0)) as spool:
        listener = Listener(Hl7(address="127.0.0.1", port=0), spool)
        listener.start()
        try:
            command = [node, str(script), str(listener.port), str(said)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        finally:
            listener.stop()
        assert done.stdout.split("\n")[:4] == ["AA MSG-1", "AA MSG-2", "AA MSG-3", "AR MSG-4"]
        assert spool.counts()["waiting"] == 5
