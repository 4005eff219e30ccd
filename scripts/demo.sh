#!/usr/bin/env bash
# The demonstration: trains a digit classifier on real data and writes ResNet-50, turns both into tuned engines, checks and times them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/stages.sh
readonly kiln=build/release/bin/kiln python=.venv/bin/python out=build/demo

[[ -x $kiln ]] || { echo "demo: $kiln does not exist: the build makes no program 'kiln' yet" >&2; exit 1; }
mkdir -p "$out"
echo "Two networks from ONNX to tuned engines, checked against the reference and timed; models and engines go to $out."
begin_stages "$out/stages" \
  "training a convolutional network on 1,797 handwritten digits|20" \
  "digits: from ONNX to a tuned engine|15" \
  "digits: the engine on the held-out images|3" \
  "digits: the engine against the stored outputs|5" \
  "digits: in int8, calibrated on images of the training set|20" \
  "ResNet-50: writing the model|5" \
  "ResNet-50: from ONNX to a tuned engine, saved|60" \
  "ResNet-50: against the reference, layer by layer|60" \
  "ResNet-50: the saved engine, measured|8"

stage "training a convolutional network on 1,797 handwritten digits"
"$python" models/digits.py "$out"

stage "digits: from ONNX to a tuned engine"
"$kiln" build --onnx="$out/digits.onnx" --minShapes=image:1x1x8x8 --optShapes=image:64x1x8x8 --maxShapes=image:512x1x8x8 \
  --saveEngine="$out/digits.engine"

stage "digits: the engine on the held-out images"
mkdir -p "$out/digits_answers"
"$kiln" run "$out/digits.engine" --loadInputs=image:"$out/digits_test/input_0.npy" --saveOutputs="$out/digits_answers"
"$python" scripts/demo_accuracy.py "$out/digits_answers/logits.npy" "$out/digits_test/labels.npy" --least=0.97

stage "digits: the engine against the stored outputs"
"$kiln" compare "$out/digits.onnx" --data="$out/digits_data/test_data_set_0" --rtol=1e-3 --atol=1e-5

stage "digits: in int8, calibrated on images of the training set"
"$kiln" calibrate "$out/digits.onnx" --data="$out/digits_calibration.npz" -o "$out/digits.calib"
"$kiln" build --onnx="$out/digits.onnx" --minShapes=image:1x1x8x8 --optShapes=image:64x1x8x8 --maxShapes=image:512x1x8x8 \
  --int8 --calib="$out/digits.calib" --saveEngine="$out/digits_int8.engine"
mkdir -p "$out/digits_int8_answers"
"$kiln" run "$out/digits_int8.engine" --loadInputs=image:"$out/digits_test/input_0.npy" --saveOutputs="$out/digits_int8_answers"
"$python" scripts/demo_accuracy.py "$out/digits_int8_answers/logits.npy" "$out/digits_test/labels.npy" --least=0.99

stage "ResNet-50: writing the model"
"$python" models/write.py "$out" resnet50

stage "ResNet-50: from ONNX to a tuned engine, saved"
"$kiln" bench --onnx="$out/resnet50.onnx" --saveEngine="$out/resnet50.engine" --timingCacheFile="$out/timing.cache" --skipInference

stage "ResNet-50: against the reference, layer by layer"
"$kiln" compare "$out/resnet50.onnx"

stage "ResNet-50: the saved engine, measured"
"$kiln" bench --loadEngine="$out/resnet50.engine" --duration=5
end_stages

printf '\n==> done in %s; models and engines are in %s\n' "$(in_words $SECONDS)" "$out"
