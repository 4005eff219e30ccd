#!/bin/bash
# Runs in the folder that holds what gpu_files lists (found by name below).
B=$PWD/run_perf; mkdir -p "$B"/{bin,lib,libs0,models,m}
copy() { local f; f=$(find "$PWD" -name "$1" -type f -not -path "$B/*" -not -path '*/build/*' | head -1); [ -n "$f" ] && cp -f "$f" "$2"; }
for f in kiln test_cuda; do copy $f "$B/bin/$f"; chmod +x "$B/bin/$f"; done
for f in $(find "$PWD" -name 'lib*.so*' -type f -not -path "$B/*" -not -path '*/build/*'); do cp -f "$f" "$B/lib/"; done
cp "$B/lib/libkiln_rules0.so" "$B/libs0/libkiln.so"
W0=$(find "$PWD" -name write.py -path '*models*' -not -path "$B/*" | head -1); [ -z "$W0" ] && W0=$(find "$PWD" .. -maxdepth 3 -name write.py 2>/dev/null | head -1)
cp "$(dirname "$W0")"/*.py "$B/models/"; M=$B/models
cd "$B"
export LD_LIBRARY_PATH=$PWD/lib:$(dirname "$(find / -name 'libnvrtc.so.13' -not -path '*/proc/*' 2>/dev/null | head -1)"):$LD_LIBRARY_PATH NO_COLOR=1
C=$(find / -name 'libcublasLt.so.13' -not -path '*/proc/*' 2>/dev/null | head -1); [ -n "$C" ] && export KILN_CUBLASLT=$C
OUT=${OUT:-$PWD/out}; mkdir -p "$OUT"
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader
T0=$SECONDS
(for n in efficientnet_b0:128 efficientnet_b0:8 mobilenet_v3:128 mobilenet_v3:8; do name=${n%:*} b=${n#*:}; (cd "$M" && OPENBLAS_NUM_THREADS=2 timeout 100 python3 write.py --batch $b "$B/m/w_$name$b" $name >/dev/null 2>&1; mv "$B/m/w_$name$b/$name.onnx" "$B/m/${name}_b$b.onnx") & done; wait) &
W=$!
for f in 'CudaScaledConv.*' 'CudaConvExcite.*' 'CudaDepthwiseBoxes.*' 'CudaSqueeze.*' 'CudaStream.*'; do
  timeout 100 ./bin/test_cuda --gtest_brief=1 --gtest_filter="$f" > "$OUT/t_${f%%.*}.log" 2>&1; echo "$f rc $? $((SECONDS-T0))"; grep -E "FAILED|Failure|error|differ" "$OUT/t_${f%%.*}.log" | head -8
done
wait $W; ls m
b() { # name batch flags...
  [ $((SECONDS-T0)) -gt 170 ] && { echo "$1 $2 left out"; return; }
  local n=$1 k=$2; shift 2; local tag=$n$k$(echo "$*" | tr -cd 'a-z0-9_')
  timeout 100 ./bin/kiln build m/${n}_b$k.onnx --backend=cuda --fp16 --noTF32 --verbose "$@" -o m/$tag.plan > $OUT/b_$tag.log 2>&1 || { echo "$tag build failed"; tail -3 $OUT/b_$tag.log; return; }
  timeout 60 ./bin/kiln bench --loadEngine=m/$tag.plan --useCudaGraph --duration=0.5 --warmUp=200 > $OUT/r_$tag.log 2>&1
  timeout 60 ./bin/kiln bench --loadEngine=m/$tag.plan --duration=0 --iterations=3 --dumpProfile > $OUT/p_$tag.log 2>&1
  timeout 60 ./bin/kiln run m/$tag.plan --saveOutputs=m/o_$tag > /dev/null 2>&1
  echo "$tag $(grep -h 'GPU Compute Time' $OUT/r_$tag.log | head -1) | layers on host: $(grep -oh '[0-9]* layers run on the host' $OUT/b_$tag.log) $((SECONDS-T0))"
}
b efficientnet_b0 128
b efficientnet_b0 128 --disable=conv_excite,scaled_conv
b mobilenet_v3 128
b mobilenet_v3 128 --disable=conv_excite,scaled_conv
b efficientnet_b0 128 --disable=scaled_conv
b efficientnet_b0 8
b mobilenet_v3 8
python3 - <<'PY'
import numpy as np, glob, os
for n in ('efficientnet_b0128', 'mobilenet_v3128'):
    a, b = f'm/o_{n}', f'm/o_{n}disableconv_excitescaled_conv'
    for f in glob.glob(a + '/*.npy'):
        x, y = np.load(f).astype(float), np.load(os.path.join(b, os.path.basename(f))).astype(float)
        print(n, 'difference of the ways', np.linalg.norm(x - y) / np.linalg.norm(y), np.isnan(x).sum())
PY
if [ -d libs0 ]; then # rules without a least size
  export LD_LIBRARY_PATH=$PWD/libs0:$LD_LIBRARY_PATH
  b efficientnet_b0 8 --disable=gelu_tanh; b mobilenet_v3 8 --disable=gelu_tanh; b mobilenet_v3 128 --disable=gelu_tanh
fi
for t in efficientnet_b0128 mobilenet_v3128 efficientnet_b08 efficientnet_b08disablegelu_tanh; do
  echo "== layers of $t"
  grep -hE '^\[I\] [A-Z][A-Za-z]+ +[a-z_]+ +[0-9]' $OUT/p_$t.log | awk '{t=0; for(i=4;i<=NF;i++) if ($i=="%") {t=$(i+1); break}; n=split($0, w, /  +/); printf "%s %s %s GB/s %.1f us %s\n", $2, $3, $5, t/3*1000, substr(w[n],1,34)}' | head -75
done
echo "== choices"
grep -hE 'scaled_conv|conv_excite' $OUT/b_efficientnet_b0128.log | cut -c1-230 | head -60
