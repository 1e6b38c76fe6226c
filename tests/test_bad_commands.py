"""Wrong command lines: each exits with status 2 and explains why; `$TMP` has own.npz, own.toml and a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thinnet.cli import main

COMMANDS = [
    (
        "",
        "thinnet: error: COMMAND must be given, got nothing. It is one of train, resume, data, report, experiment, ",
    ),
    (
        "trian",
        "COMMAND must be one of 'train', 'resume', 'data', 'report', 'experiment', 'course', 'check', got 'trian'.",
    ),
    ("experiment", "NAME must be given, got nothing. It is one of dropout, rate-sweep, masks, cifar10-fc, "),
    ("experiment dropuot", "got 'dropuot'. Did you mean 'dropout'?\n"),
    ("experiment dropout --rates 1.5", "must be the fraction dropped, at least 0 and below 1, got '1.5'"),
    ("experiment dropout --rates inf", "must be the fraction dropped, at least 0 and below 1, got 'inf'"),
    ("experiment dropout --rates 0.5 0.5", "--rates must all differ, got [0.5, 0.5]. Give each one once."),
    ("experiment dropout --seeds -2", "must be a whole number of at least 1, got '-2'"),
    ("experiment dropout --epochs 1.5", "error: --epochs must be a whole number, got '1.5'"),
    (
        "train --data digits --hidden-dims 200,50",
        "error: --hidden-dims must be a whole number, got '200,50'. Write a space between two: 200 50.\n",
    ),
    ("train --data digits --dropout half", "error: --dropout must be a number, got 'half'.\n"),
    ("experiment dropout --epochs 0", "--epochs must be an integer >= 1, got 0"),
    ("experiment masks --dropout 1", "--dropout must be a number in [0, 1), got 1.0"),
    (
        "experiment dropout --num-train 99999 --output $TMP",
        "--num-train must be at most 997, the number of training rows, got 99999",
    ),
    (
        "experiment dropout --data mnist --output $TMP",
        "--data must be one of 'digits', 'cifar10', 'fashion-mnist', got 'mnist'.",
    ),
    ("experiment dropout --dropout-mask rows", "--dropout-mask must be one of 'element', 'batch', got 'rows'.\n"),
    ("experiment dropout --output /proc/nowhere", "/proc/nowhere must be a folder that can be written, got an error"),
    (
        "course new /proc/nowhere --dialect nndl",
        "/proc/nowhere must be a folder that can be written, got an error while",
    ),
    ("course new $TMP/own.npz --dialect nndl", "own.npz'. Choose another name."),
    ("course run $TMP/empty.ipynb --package 3x", "error: --package must be names of packages, got '3x'. Give the part"),
    ("course run $TMP/empty.ipynb --package class", "error: --package must be names of packages, got 'class'."),
    (
        "course run $TMP/empty.ipynb --package os",
        "error: --package must be names of the course's package, got 'os', wh",
    ),
    ("report $TMP/own.npz", "must be the folder of a run, or of several, got a file"),
    ("experiment cifar10-fc --root $TMP", "--root must be cifar-10-batches-py or the folder that has it"),
    ("experiment cifar10-fc --seed one", "error: --seed must be a whole number of at least 0, got 'one'."),
    ("course run $TMP/none.ipynb --dialect nndl", "error: notebook must be an existing .ipynb file, got '"),
    ("course run one.ipynb two.ipynb", "thinnet course run: error: unexpected word 'two.ipynb'.\nSee: thinnet c"),
    (
        "train --hidden-dims 32,x --output $TMP/run",
        "error: --hidden-dims must be a whole number, got '32,x'. Write a space between two: 200 100.\n",
    ),
    ("data cifar", "thinnet data: error: unexpected word 'cifar'. Did you mean '--download cifar10'?\n"),
    ("data letters", "thinnet data: error: unexpected word 'letters'.\n"),
    ("train own.npz", "thinnet train: error: unexpected word 'own.npz'. Did you mean '--data own.npz'?"),
    ("experiment dropout digits", "unexpected word 'digits'. Did you mean '--data digits'?"),
    ("report runs -o page.html", "unexpected word '-o'."),
    ("course new $TMP/folder", "--dialect must be given, got nothing. It is one of cs231n-2017, cs231n-2018, "),
    ("course new $TMP/folder --dialect cs231n", "--dialect must be one of 'cs231n-2017', 'cs231n-2018', '"),
    ("--unknown", "COMMAND must be given, got nothing. It is one of train, "),
    (
        "train --epochs",
        "thinnet train: error: --epochs must be followed by a value, got nothing.\nSee: thinnet train --h",
    ),
    (
        "train --schedule",
        "--schedule must be followed by a value, got nothing. It is one of constant, epoch_decay, cosine",
    ),
    ("experiment dropout --rates", "error: --rates must be followed by a value, got nothing.\n"),
    ("train --quiet --json", "error: --json must be left out with --quiet. Choose one of the two.\n"),
    ("train --quiet=3", "error: --quiet must be given without a value, got '3'. Leave that out.\n"),
    ("resume", "error: folder must be given, got nothing.\n"),
    (
        "check a.py --points a",
        "--points must be NAME=NUMBER with a number of at least 0, got 'a'. Write dropout_forward=5, ",
    ),
    ("resume $TMP", "/begun'."),
    (
        "resume $TMP/others",
        "must be the folder of a run, got a folder without config.toml. Name the folder that thinnet train wrote: its "
        "--output, or one in runs/.\n",
    ),
    (
        "resume $TMP/others/empty",
        "must be the folder of a run, got an empty folder. Name the folder that thinnet train",
    ),
    (
        "resume $TMP/few.npz",
        "must be the folder of a run, got a file. Name the folder that thinnet train wrote: its --",
    ),
    ("resume $TMP/begun/config.toml", "must be the folder of a run, got a file. Name its folder: "),
    ("resume $TMP/begun/plots", "must be the folder of a run, got an empty folder. Name its folder: "),
    (
        "resume $TMP/nowhere",
        "must be the folder of a run, got no such folder. Name the folder that thinnet train wrote",
    ),
    ("train --data digit --output $TMP/run", "--data must be one of 'digits', 'cifar10', 'fashion-mnist', got 'digit'"),
    (
        "train --config $TMP/none.toml --output $TMP/run",
        "none.toml must be a TOML file, got no such file. Thinnet looked in",
    ),
    ("train --root $TMP/\udcff --output $TMP/run", r"--root must be a name in UTF-8, got '/"),
    ("train --data $TMP/\udcff.npz --output $TMP/run", r"data must be a name in UTF-8, got '/"),
    ("train --data nosuch --output $TMP/run", "got 'nosuch'. Or name a file of arrays, NAME.npz."),
    (
        "train --data table.csv --output $TMP/run",
        "got 'table.csv'. Or name a file of arrays, NAME.npz; for a table, give a data frame to the estimators of",
    ),
    ("train --data fashion-mnist --output $TMP/run", "--root must be the folder with Fashion-MNIST's four files"),
    (
        "train --data $TMP/none.npz --output $TMP/run",
        "none.npz must be a file of arrays as numpy.savez writes it, got no su",
    ),
    ("train --config $TMP/none.toml --output $TMP/run", "none.toml"),
    (
        "train --weight-scale she --output $TMP/run",
        "--weight-scale must be a finite number >= 0, got 'she' (str). --weight-scale is the",
    ),
    ("train --dropout 1.5 --output $TMP/run", "--dropout must be a number in [0, 1), got 1.5"),
    ("train --batch-size 0 --output $TMP/run", "--batch-size must be an integer >= 1, got 0"),
    ("train --flip random --image-shape 3 3 --output $TMP/run", "error: --image-shape must have 64 elements, as many"),
    ("train --cutout 9 --output $TMP/run", "error: --cutout must be at most 8 for images of 8 x 8 pixels, got 9."),
    ("train --loss svm --mixup 0.2 --output $TMP/run", "error: --mixup must be 0 with --loss svm, got 0.2: a margin"),
    ("train --config $TMP/own.toml --output $TMP/run", "own.toml, dropout must be a number in [0, 1), got 1.5."),
    (
        "train --config $TMP/own.toml --dropout 2 --output $TMP/run",
        "error: --dropout must be a number in [0, 1), got 2",
    ),
    ("train --data $TMP/own.npz --output $TMP/run", "own.npz, y_train must hold labels of at least two classes"),
    (
        "train --data $TMP/own.npz --flip random --output $TMP/run",
        "error: --image-shape must be (channels, height, width) or (height, width), got None. Say what shape a row had "
        "before it was flattened, such as --image-shape 3 32 32.",
    ),
    ("resume $TMP/begun", "config.toml, data must be one of 'digits', 'cifar10', 'fashion-mnist', got 'numbers'."),
    (
        "experiment cifar10-ladder --minutes 0",
        "--minutes must be a finite number > 0, got 0.0. For one minute, write --m",
    ),
    ("experiment rate-sweep --sizes 5000 --output $TMP --quiet", "error: --sizes must be at most 997, the number"),
    ("train --output $TMP/own.npz/run", "error: --output must be a folder that can be written, got "),
    ("data --download letters", "error: --download must be one of 'digits', 'cifar10'"),
    ("experiment dropout --flip random", "experiment dropout: error: unknown option --flip.\nSee:"),
    (
        "experiment dropout --data $TMP/few.npz --output $TMP --quiet",
        "error: --num-train must be at most 20, the number of training rows, got 100. Ask for fewer. That is the",
    ),
    (
        "experiment rate-sweep --data $TMP/few.npz --sizes 10 21 --output $TMP/sweep",
        "error: --sizes must be at most 20, the number of training rows, got 21. Ask for fewer.\n",
    ),
    (
        "experiment rate-sweep --data $TMP/few.npz --output $TMP/sweep",
        "error: --sizes must be at most 20, the number of training rows, got 800. Ask for fewer. That is the default",
    ),
    (
        "train --dropout-mask batch --dropout 0.5 --normalization layernorm --output $TMP/run",
        "so none can be left out. Use --normalization batchnorm or none.\n",
    ),
    (
        "train --dtype float64 --precision bfloat16 --output $TMP/run",
        "error: --precision must be none with --dtype float64, got 'bfloat16'. Leave it out, or use --dtype float32: ",
    ),
    ("train --loss mse --label-smoothing 0.1 --output $TMP/run", "Leave it out, or use --loss softmax or logistic."),
    ("train --data $TMP/few.npz --patience 3 --output $TMP/run", "error: --patience must be 0 without validation rows"),
    (
        "train --optimizer sgd --weight-decay-schedule cosine --output $TMP/run",
        "--weight-decay-schedule must be constant for an optimizer without weight decay, got 'cosine'. Use --optimizer "
        "adamw or lion, or leave it out.",
    ),
    ("train --data cifar10 --root $TMP --output $TMP/run", "or leave --root out to have it downloaded."),
    (
        "train --weight-decay 0.5 --output $TMP/run",
        "error: --weight-decay must be left out with --optimizer adam, which ignores it, got 0.5. It needs --optimizer "
        "adamw or lion.\n",
    ),
    (
        "train --weight-decay 0.01 --output $TMP/run",
        "which ignores it, got 0.01. It needs --optimizer adamw or lion.\n",
    ),
    (
        "train --decay 0.5 --output $TMP/run",
        "error: --decay must be left out with --schedule constant, which ignores it, got 0.5. It needs --schedule "
        "epoch_decay.\n",
    ),
    (
        "train --config $TMP/decay.toml --optimizer sgd --output $TMP/run",
        "decay.toml, weight_decay must be left out with optimizer='sgd', which ignores it, got 0.5. It needs",
    ),
    (
        "train --hidden-dims --dropout 0.5 --output $TMP/run",
        "error: --dropout must be left out with --hidden-dims, which ignores it, got 0.5. It needs --hidden-dims 100, ",
    ),
    (
        "experiment dropout --rates 0 --dropout-mask batch --output $TMP/new",
        "--dropout-mask must be left out with drop",
    ),
    ("experiment masks --root $TMP --output $TMP/new", "error: --root must be left out with --data digits, which igno"),
    ("train --decay 0 --output $TMP/run", "got 0.0. --decay multiplies the learning rate after each epoch."),
    ("train --reg nan --output $TMP/run", "got nan. --reg is the strength of the L2 penalty: use 0 for none."),
    (
        "train --data $TMP/values.npz --loss softmax --output $TMP/run",
        "values.npz, y_train must hold labels, since the net's loss is 'softmax', got values such as 0.5. Use --loss m",
    ),
    (
        "experiment dropout --address here --output $TMP",
        "error: --address must be empty with --backend loky, got 'here'",
    ),
    ("train --num-train 5000 --output $TMP/run", "--num-train must be at most 997"),
]


@pytest.mark.parametrize(("line", "text"), COMMANDS, ids=[line or "nothing" for line, _ in COMMANDS])
def test_a_wrong_command_line_ends_with_status_2(
    line: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.savez(tmp_path / "own.npz", X_train=np.eye(4), y_train=np.zeros(4, int))
    np.savez(tmp_path / "few.npz", X_train=np.eye(20), y_train=np.arange(20) % 2)
    np.savez(tmp_path / "values.npz", X_train=np.eye(4), y_train=np.arange(4) / 2)
    (tmp_path / "own.toml").write_text("dropout = 1.5")
    (tmp_path / "decay.toml").write_text("optimizer = 'adamw'\nweight_decay = 0.5")
    for folder in ("begun/plots", "others/empty"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "empty.ipynb").write_text('{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": []}')
    (tmp_path / "begun" / "config.toml").write_text('data = "numbers"')
    try:
        status: Any = main([word.replace("$TMP", str(tmp_path)) for word in line.split()])
    except SystemExit as end:
        status = end.code
    done = capsys.readouterr()
    assert status == 2
    assert text in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
