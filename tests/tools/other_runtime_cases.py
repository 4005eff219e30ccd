"""Nodes of com.microsoft and ai.onnx.ml with inputs, for comparison with ONNX Runtime.

CASES: name -> (operator, inputs, attributes, number of results, which inputs are constants); an input that is None is absent.
"""
import math

import numpy as np

CASES = {}
rng = np.random.default_rng(7)


def f(*shape, scale=1.0):
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def u8(*shape, low=0, high=255):
    return rng.integers(low, high, shape).astype(np.uint8)


def i8(*shape):
    return rng.integers(-127, 127, shape).astype(np.int8)


def scalar(value, kind=np.float32):
    return np.array(value, kind)


def case(name, op, inputs, results=1, weights=(), **attributes):
    CASES[name] = (op, inputs, attributes, results, weights)


MS = "com.microsoft."
X = f(2, 5, 8)
case("gelu", MS + "Gelu", [X])
case("bias_gelu", MS + "BiasGelu", [X, f(8)])
case("fast_gelu", MS + "FastGelu", [X, f(8)])
case("fast_gelu_without_bias", MS + "FastGelu", [X])
case("quick_gelu", MS + "QuickGelu", [X], alpha=1.5)
case("fused_conv", MS + "FusedConv", [f(1, 3, 8, 8), f(4, 3, 3, 3), f(4)], weights=(1, 2), activation="Relu", pads=[1, 1, 1, 1], kernel_shape=[3, 3])
case("fused_conv_sum", MS + "FusedConv", [f(1, 3, 8, 8), f(4, 3, 3, 3), f(4), f(1, 4, 8, 8)], weights=(1, 2), activation="Relu", pads=[1, 1, 1, 1], kernel_shape=[3, 3])
case("fused_conv_leaky", MS + "FusedConv", [f(1, 3, 8, 8), f(4, 3, 3, 3)], weights=(1,), activation="LeakyRelu", activation_params=[0.2], kernel_shape=[3, 3])
case("fused_conv_clip", MS + "FusedConv", [f(1, 3, 8, 8), f(4, 3, 3, 3)], weights=(1,), activation="Clip", activation_params=[-0.5, 0.75], kernel_shape=[3, 3])
case("fused_matmul", MS + "FusedMatMul", [f(2, 5, 4), f(2, 6, 5)], transA=1, transB=1, alpha=0.5)
case("fused_matmul_batch", MS + "FusedMatMul", [f(5, 2, 4), f(2, 4, 3)], transBatchA=1)
case("transpose_matmul", MS + "TransposeMatMul", [f(4, 5), f(4, 3)], transA=1)
case("fused_gemm", MS + "FusedGemm", [f(4, 5), f(5, 3), f(3)], activation="Relu", alpha=0.5, beta=2.0)
case("fused_gemm_leaky", MS + "FusedGemm", [f(4, 5), f(5, 3), f(3)], activation="LeakyRelu", activation_alpha=0.3)
case("skip_layer_norm", MS + "SkipLayerNormalization", [X, f(2, 5, 8), f(8), f(8), f(8)], results=4, weights=(2, 3, 4), epsilon=1e-5)
case("skip_simplified_layer_norm", MS + "SkipSimplifiedLayerNormalization", [X, f(2, 5, 8), f(8)], weights=(2,), epsilon=1e-5)
case("simplified_layer_norm", "SimplifiedLayerNormalization", [X, f(8)], weights=(1,), epsilon=1e-5)
case("embed_layer_norm", MS + "EmbedLayerNormalization",
     [rng.integers(0, 9, (2, 5)).astype(np.int32), rng.integers(0, 2, (2, 5)).astype(np.int32), f(10, 8), f(6, 8), f(2, 8), f(8), f(8),
      (np.arange(10).reshape(2, 5) % 5 < 3).astype(np.int32)], results=2, weights=(2, 3, 4, 5, 6), epsilon=1e-5)
case("attention", MS + "Attention", [X, f(8, 24), f(24), np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)], weights=(1, 2), num_heads=2)
case("attention_causal", MS + "Attention", [X, f(8, 24), f(24)], weights=(1, 2), num_heads=2, unidirectional=1)
case("attention_past", MS + "Attention", [X, f(8, 24), f(24), None, f(2, 2, 2, 3, 4)], results=2, weights=(1, 2), num_heads=2, unidirectional=1)
case("multi_head_attention", MS + "MultiHeadAttention", [X, f(2, 6, 8), f(2, 6, 8), f(24)], weights=(3,), num_heads=2)
case("multi_head_attention_cache", MS + "MultiHeadAttention", [f(2, 1, 8), f(2, 1, 8), f(2, 1, 8), None, None, None, f(2, 2, 3, 4), f(2, 2, 3, 4)], results=3, num_heads=2)
LAST, TOTAL = np.array([2, 2], np.int32), scalar(3, np.int32)
case("group_query_attention", MS + "GroupQueryAttention", [f(2, 3, 64), f(2, 3, 32), f(2, 3, 32), f(2, 2, 0, 16), f(2, 2, 0, 16), LAST, TOTAL],
     results=3, weights=(5, 6), num_heads=4, kv_num_heads=2)
case("group_query_attention_rotary", MS + "GroupQueryAttention",
     [f(2, 3, 64), f(2, 3, 32), f(2, 3, 32), f(2, 2, 0, 16), f(2, 2, 0, 16), LAST, TOTAL, f(16, 8), f(16, 8)], results=3, weights=(5, 6, 7, 8),
     num_heads=4, kv_num_heads=2, do_rotary=1)
case("group_query_attention_cache", MS + "GroupQueryAttention",
     [f(2, 1, 64), f(2, 1, 32), f(2, 1, 32), f(2, 2, 3, 16), f(2, 2, 3, 16), np.array([3, 3], np.int32), scalar(4, np.int32), f(16, 8), f(16, 8)],
     results=3, num_heads=4, kv_num_heads=2, scale=0.7, do_rotary=1)
case("group_query_attention_packed", MS + "GroupQueryAttention",
     [f(2, 3, 128), None, None, f(2, 2, 0, 16), f(2, 2, 0, 16), LAST, TOTAL], results=3, weights=(5, 6), num_heads=4, kv_num_heads=2, softcap=2.0,
     local_window_size=2)
case("rotary_embedding", MS + "RotaryEmbedding", [f(2, 5, 8), np.tile(np.arange(5), (2, 1)).astype(np.int64), f(9, 4), f(9, 4)], weights=(2, 3))
case("grid_sample", MS + "GridSample", [f(1, 2, 5, 5), np.clip(f(1, 4, 4, 2), -1, 1)], mode="bilinear", padding_mode="border")
case("trilu", MS + "Trilu", [f(4, 5)], upper=0)
case("inverse", MS + "Inverse", [f(3, 4, 4) + 4 * np.eye(4, dtype=np.float32)])
case("inverse_f64", MS + "Inverse", [(f(5, 5) + 4 * np.eye(5)).astype(np.float64)])
case("dynamic_quantize_matmul", MS + "DynamicQuantizeMatMul", [f(4, 6), i8(6, 5), f(5, scale=0.01) + 0.02, np.zeros(5, np.int8), f(5)], weights=(1, 2, 3, 4))
case("matmul_integer_to_float", MS + "MatMulIntegerToFloat", [u8(4, 6), u8(6, 5), scalar(0.02), scalar(0.03), scalar(120, np.uint8), scalar(130, np.uint8), f(5)], weights=(1, 2, 3, 4, 5, 6))
case("ms_quantize", MS + "QuantizeLinear", [f(3, 4), scalar(0.05), scalar(100, np.uint8)], weights=(1, 2))
case("ms_dequantize", MS + "DequantizeLinear", [u8(3, 4), scalar(0.05), scalar(100, np.uint8)], weights=(1, 2))
S, Z = scalar(0.05), scalar(120, np.uint8)
case("qlinear_add", MS + "QLinearAdd", [u8(3, 4), S, Z, u8(3, 4), scalar(0.03), scalar(100, np.uint8), scalar(0.08), Z], weights=(1, 2, 4, 5, 6, 7))
case("qlinear_mul", MS + "QLinearMul", [u8(3, 4), S, Z, u8(4), scalar(0.03), scalar(100, np.uint8), scalar(0.2), Z], weights=(1, 2, 4, 5, 6, 7))
case("qlinear_concat", MS + "QLinearConcat", [scalar(0.06), Z, u8(2, 3), S, Z, u8(2, 5), scalar(0.03), scalar(90, np.uint8)], weights=(0, 1, 3, 4, 6, 7), axis=1)
case("qlinear_leaky_relu", MS + "QLinearLeakyRelu", [u8(3, 4), S, Z, scalar(0.04), Z], weights=(1, 2, 3, 4), alpha=0.1)
case("qlinear_sigmoid", MS + "QLinearSigmoid", [u8(3, 4), S, Z, scalar(1 / 256), scalar(0, np.uint8)], weights=(1, 2, 3, 4))
case("qlinear_softmax", MS + "QLinearSoftmax", [u8(3, 8), S, Z, scalar(1 / 256), scalar(0, np.uint8)], weights=(1, 2, 3, 4), opset=13)
case("qlinear_average_pool", MS + "QLinearAveragePool", [u8(1, 2, 6, 6), S, Z, scalar(0.04), Z], weights=(1, 2, 3, 4), kernel_shape=[2, 2], strides=[2, 2])
case("qlinear_global_average_pool", MS + "QLinearGlobalAveragePool", [u8(1, 3, 6, 6), S, Z, scalar(0.02), Z], weights=(1, 2, 3, 4), channels_last=0)
case("qgemm", MS + "QGemm", [u8(4, 6), S, Z, u8(6, 5), scalar(0.02), scalar(128, np.uint8), rng.integers(-99, 99, 5).astype(np.int32), scalar(0.3), Z], weights=(1, 2, 3, 4, 5, 6, 7, 8))
case("nhwc_max_pool", MS + "NhwcMaxPool", [u8(1, 6, 6, 2)], kernel_shape=[2, 2], strides=[2, 2])
case("qattention", MS + "QAttention", [u8(2, 5, 8), i8(8, 24), f(24), scalar(0.02), scalar(0.01), None, scalar(128, np.uint8), scalar(0, np.int8)], weights=(1, 2, 3, 4, 6, 7), num_heads=2)
case("dynamic_quantize_lstm", MS + "DynamicQuantizeLSTM",
     [f(3, 2, 4), i8(1, 4, 12), i8(1, 3, 12), f(1, 24), None, None, None, None, scalar([0.01]), np.zeros(1, np.int8), scalar([0.02]), np.zeros(1, np.int8)],
     results=3, weights=(1, 2, 3, 8, 9, 10, 11), hidden_size=3)


def packed_codes(codes, bits):
    """Several codes to a byte along the last axis, the first in the lowest bits."""
    per_byte = 8 // bits
    parts = codes.reshape(*codes.shape[:-1], -1, per_byte).astype(np.uint32) << (bits * np.arange(per_byte, dtype=np.uint32))
    return parts.sum(-1).astype(np.uint8)


for bits in (4, 8):
    for block in (16, 32, 128):
        for zero_points in (False, True):
            depth, columns = 144, 5
            blocks = -(-depth // block)
            codes = rng.integers(0, 2 ** bits, (columns, blocks, block))
            operands = [f(3, depth), packed_codes(codes, bits), np.abs(f(columns, blocks, scale=0.1)) + np.float32(0.01)]
            if zero_points:
                zeros = rng.integers(0, 2 ** bits, (columns, blocks + blocks % 2))
                operands.append(packed_codes(zeros, bits) if bits == 4 else zeros[:, :blocks].astype(np.uint8))
            case(f"matmul_nbits_{bits}_block_{block}{'_zero_points' * zero_points}", MS + "MatMulNBits", operands, weights=tuple(range(1, len(operands))),
                 N=columns, K=depth, bits=bits, block_size=block)



def gather_block_quantized(bits, block, zero_points):
    """Operands, and the rows that they give."""
    rows, width = 7, 48
    blocks = -(-width // block)
    codes, scales = rng.integers(0, 2 ** bits, (rows, width)), np.abs(f(rows, blocks, scale=0.1)) + np.float32(0.01)
    zeros = rng.integers(0, 2 ** bits, (rows, blocks + blocks % 2)) if zero_points else np.full((rows, blocks), 2 ** (bits - 1))
    indices = np.array([[3, -1], [0, 3]], np.int64)
    operands = [packed_codes(codes, bits), indices, scales]
    if zero_points:
        operands.append(packed_codes(zeros, bits) if bits == 4 else zeros[:, :blocks].astype(np.uint8))
    spread = [np.repeat(a[:, :blocks], block, 1)[:, :width] for a in (zeros, scales)]
    return operands, ((codes - spread[0]).astype(np.float32) * spread[1])[indices]


TABLES = {f"gather_block_quantized_{bits}_block_{block}{'_zero_points' * zero_points}": (*gather_block_quantized(bits, block, zero_points), bits, block)
          for bits in (4, 8) for block in (16, 32) for zero_points in (False, True)}
for name, (operands, _, bits, block) in TABLES.items():
    case(name, MS + "GatherBlockQuantized", operands, weights=(0, *range(2, len(operands))), bits=bits, block_size=block)

ML = "ai.onnx.ml."
ROWS = f(6, 3)
case("scaler", ML + "Scaler", [ROWS], offset=[0.1, 0.2, 0.3], scale=[2.0, 0.5, 1.0])
case("scaler_int", ML + "Scaler", [rng.integers(-5, 5, (4, 3)).astype(np.int64)], offset=[0.5], scale=[2.0])
case("normalizer_max", ML + "Normalizer", [np.abs(ROWS)], norm="MAX")
case("normalizer_l1", ML + "Normalizer", [ROWS], norm="L1")
case("normalizer_l2", ML + "Normalizer", [ROWS], norm="L2")
case("binarizer", ML + "Binarizer", [ROWS], threshold=0.25)
case("imputer", ML + "Imputer", [np.array([[1, np.nan, 3], [np.nan, 5, 6]], np.float32)], imputed_value_floats=[7.0, 8.0, 9.0], replaced_value_float=float("nan"))
case("imputer_int", ML + "Imputer", [np.array([[1, 0, 3], [0, 5, 6]], np.int64)], imputed_value_int64s=[9], replaced_value_int64=0)
case("array_feature_extractor", ML + "ArrayFeatureExtractor", [ROWS, np.array([2, 0], np.int64)])
case("array_feature_extractor_row", ML + "ArrayFeatureExtractor", [f(5), np.array([[4, 1]], np.int64)])
case("feature_vectorizer", ML + "FeatureVectorizer", [f(4, 2), f(4, 3)], inputdimensions=[2, 3])
case("one_hot_encoder", ML + "OneHotEncoder", [np.array([[3, 4], [5, 9]], np.int64)], cats_int64s=[3, 4, 5], zeros=1)
case("label_encoder", ML + "LabelEncoder", [np.array([1, 5, 2], np.int64)], keys_int64s=[1, 2], values_floats=[0.5, 1.5], default_float=-3.0)
case("linear_regressor", ML + "LinearRegressor", [ROWS], coefficients=[1.0, 2, 3, 4, 5, 6], intercepts=[0.5, -0.5], targets=2)
for transform in ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"):
    case("linear_classifier_" + transform, ML + "LinearClassifier", [ROWS], results=2, coefficients=[1.0, -2, 3, 0.5, 1, 1, -1, 0, 1], intercepts=[0.1, 0.2, 0.3],
         classlabels_ints=[10, 20, 30], post_transform=transform)
for transform in ("NONE", "LOGISTIC"):
    case("linear_duel_" + transform, ML + "LinearClassifier", [ROWS], results=2, coefficients=[1.0, -2, 3], intercepts=[0.1], classlabels_ints=[3, 4], post_transform=transform)
VECTORS = f(5, 3)
for kernel in ("LINEAR", "POLY", "RBF", "SIGMOID"):
    case("svm_regressor_" + kernel, ML + "SVMRegressor", [ROWS], coefficients=f(5).tolist(), support_vectors=VECTORS.ravel().tolist(), n_supports=5,
         kernel_type=kernel, kernel_params=[0.4, 0.5, 2.0], rho=[0.3])
case("svm_classifier", ML + "SVMClassifier", [ROWS], results=2, classlabels_ints=[1, 2, 3], coefficients=f(10).tolist(), support_vectors=VECTORS.ravel().tolist(),
     vectors_per_class=[2, 2, 1], rho=[0.1, 0.2, 0.3], kernel_type="RBF", kernel_params=[0.4, 0.0, 3.0])
case("svm_classifier_probabilities", ML + "SVMClassifier", [ROWS], results=2, classlabels_ints=[1, 2, 3], coefficients=f(10).tolist(),
     support_vectors=VECTORS.ravel().tolist(), vectors_per_class=[2, 2, 1], rho=[0.1, 0.2, 0.3], kernel_type="RBF", kernel_params=[0.4, 0.0, 3.0],
     prob_a=[-1.0, -1.2, -0.8], prob_b=[0.1, 0.0, -0.1])


def forest(trees, depth, features, targets, kind, one_class=False):
    """Attributes of random complete trees."""
    nodes = {k: [] for k in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true")}
    votes = {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    inner = 2 ** depth - 1
    for t in range(trees):
        for n in range(2 * inner + 1):
            leaf = n >= inner
            row = dict(treeids=t, nodeids=n, featureids=int(rng.integers(features)), values=float(np.float32(rng.standard_normal())), modes="LEAF" if leaf else "BRANCH_LEQ",
                       truenodeids=0 if leaf else 2 * n + 1, falsenodeids=0 if leaf else 2 * n + 2, missing_value_tracks_true=int(rng.integers(2)))
            for k, v in row.items():
                nodes[k].append(v)
            for target in range(1 if one_class else targets) if leaf else ():
                for k, v in dict(treeids=t, nodeids=n, ids=target, weights=float(np.float32(rng.standard_normal()))).items():
                    votes[k].append(v)
    return {**{"nodes_" + k: v for k, v in nodes.items()}, **{f"{kind}_{k}": v for k, v in votes.items()}}


MISSING = np.where(rng.random((50, 4)) < 0.1, np.nan, f(50, 4)).astype(np.float32)
for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
    case("tree_regressor_" + aggregate, ML + "TreeEnsembleRegressor", [MISSING], n_targets=2, aggregate_function=aggregate, base_values=[0.5, -0.5],
         **forest(7, 3, 4, 2, "target"))
case("tree_classifier", ML + "TreeEnsembleClassifier", [MISSING], results=2, classlabels_int64s=[4, 5, 6], post_transform="SOFTMAX", **forest(9, 3, 4, 3, "class"))
case("tree_duel", ML + "TreeEnsembleClassifier", [MISSING], results=2, classlabels_int64s=[4, 5], post_transform="LOGISTIC", base_values=[0.2],
     **forest(9, 3, 4, 2, "class", one_class=True))


# Operators that ONNX Runtime has for other processors or in newer versions only, by their definitions: name -> (as in CASES, the answers).
DEFINED = {}


def defined(name, op, inputs, answers, weights=(), **attributes):
    DEFINED[name] = ((op, inputs, attributes, len(answers), weights), answers)


for name, (operands, rows, bits, block) in TABLES.items():
    defined(name, MS + "GatherBlockQuantized", operands, [rows], weights=(0, *range(2, len(operands))), bits=bits, block_size=block)


def erf(x):
    return np.vectorize(math.erf)(x).astype(np.float32)


def gelu(x):
    return x * (1 + erf(x / np.sqrt(2))) / 2


def softmax(x):
    powers = np.exp(x - x.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def group_norm(x, gamma, beta, groups):
    """Channels last."""
    n, c = x.shape[0], x.shape[-1]
    parts = x.reshape(n, -1, groups, c // groups)
    mean, variance = parts.mean((1, 3), keepdims=True), parts.var((1, 3), keepdims=True)
    return ((parts - mean) / np.sqrt(variance + 1e-5)).reshape(x.shape) * gamma + beta


def swish(x):
    return x / (1 + np.exp(-x))


PIXELS, SKIP, GAMMA, BETA, BIAS = f(2, 3, 3, 8), f(2, 3, 3, 8), f(8), f(8), f(8)
MORE = f(2, 5, 8)
defined("bias_add", MS + "BiasAdd", [X, BIAS, MORE], [X + BIAS + MORE])
defined("bias_split_gelu", MS + "BiasSplitGelu", [X, BIAS], [(X + BIAS)[..., :4] * gelu((X + BIAS)[..., 4:])])
defined("group_norm", MS + "GroupNorm", [PIXELS, GAMMA, BETA], [swish(group_norm(PIXELS, GAMMA, BETA, 4))], weights=(1, 2), groups=4, activation=1)
defined("skip_group_norm", MS + "SkipGroupNorm", [PIXELS, GAMMA, BETA, SKIP, BIAS], [group_norm(PIXELS + SKIP + BIAS, GAMMA, BETA, 2), PIXELS + SKIP + BIAS],
        weights=(1, 2), groups=2, activation=0)
FILTERS = f(4, 1, 1, 8)
defined("nhwc_conv", MS + "NhwcConv", [PIXELS, FILTERS], [PIXELS @ FILTERS.reshape(4, 8).T], weights=(1,))
TOKENS, PROJECTION, SHIFT = f(7, 8), f(8, 24), f(24)


def packed_attention(tokens, ends):
    """Two heads; each sequence by itself."""
    q, k, v = ((tokens @ PROJECTION + SHIFT)[:, 8 * i:8 * i + 8].reshape(-1, 2, 4).transpose(1, 0, 2) for i in range(3))
    rows = [softmax(q[:, b:e] @ k[:, b:e].transpose(0, 2, 1) / 2) @ v[:, b:e] for b, e in zip(ends, ends[1:])]
    return np.concatenate(rows, 1).transpose(1, 0, 2).reshape(-1, 8)


defined("packed_attention", MS + "PackedAttention",
        [TOKENS, PROJECTION, SHIFT, np.array([[0, 1, 2, 7], [3, 4, 5, 6]], np.int32), np.array([0, 3, 7], np.int32)], [packed_attention(TOKENS, [0, 3, 7])],
        weights=(1, 2, 3, 4), num_heads=2)

# Last, so that what is drawn for the others stays.
case("attention_of_lengths", MS + "Attention", [X, f(8, 24), f(24), np.array([3, 5], np.int32)], weights=(1, 2), num_heads=2)
case("attention_mask_of_queries", MS + "Attention", [X, f(8, 24), f(24), (np.arange(50).reshape(2, 5, 5) % 3 != 1).astype(np.int32)], weights=(1, 2), num_heads=2)
case("multi_head_attention_of_lengths", MS + "MultiHeadAttention", [f(2, 6, 8), f(2, 6, 8), f(2, 6, 8), f(24), np.array([4, 6], np.int32)], weights=(3,), num_heads=2)


def bytes_of(x, scale, zero):
    return np.clip(np.rint(x / scale) + zero, 0, 255).astype(np.uint8)


def numbers_of(x, scale, zero):
    return (x.astype(np.float64) - zero) * scale


CHOSEN, THIS, THAT = np.arange(12).reshape(3, 4) % 3 == 0, u8(3, 4), u8(4)
WHERE = [CHOSEN, THIS, scalar(0.031), scalar(90, np.uint8), THAT, scalar(0.047), scalar(120, np.uint8), scalar(0.053), scalar(110, np.uint8)]
case("qlinear_where", MS + "QLinearWhere", WHERE, weights=(2, 3, 5, 6, 7, 8))
defined("qlinear_where", MS + "QLinearWhere", WHERE, [bytes_of(np.where(CHOSEN, numbers_of(THIS, 0.031, 90), numbers_of(THAT, 0.047, 120)), 0.053, 110)],
        weights=(2, 3, 5, 6, 7, 8))
COLUMNS = u8(2, 3, 7, 5)
MEANS = numbers_of(COLUMNS, 0.031, 90).mean((2, 3))
defined("qlinear_reduce_mean", MS + "QLinearReduceMean", [COLUMNS, scalar(0.031), scalar(90, np.uint8), scalar(0.0171), scalar(110, np.uint8)],
        [bytes_of(MEANS, 0.0171, 110)], weights=(1, 2, 3, 4), axes=[2, 3], keepdims=0)
defined("qlinear_reduce_mean_of_all", MS + "QLinearReduceMean", [COLUMNS, scalar(0.031), scalar(90, np.uint8), scalar(0.0171), scalar(110, np.uint8)],
        [bytes_of(MEANS.mean(keepdims=True)[:, :, None, None], 0.0171, 110)], weights=(1, 2, 3, 4))
IMAGES, TAPS, SUMMANDS = u8(2, 5, 6, 3), i8(4, 3, 1, 1), rng.integers(-999, 999, 4).astype(np.int32)
SUMS = (IMAGES.astype(np.int64) - 90) @ TAPS[:, :, 0, 0].T.astype(np.int64) + SUMMANDS
for last in (0, 1):
    LAST_CONV = [IMAGES if last else np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2)), scalar(0.031), scalar(90, np.uint8), TAPS, scalar(0.013), scalar(0, np.int8),
                 scalar(0.0473), scalar(110, np.uint8), SUMMANDS]
    ANSWER = bytes_of(SUMS * (0.031 * 0.013), 0.0473, 110)
    defined(f"qlinear_conv_channels_{'last' if last else 'first'}", MS + "QLinearConv", LAST_CONV, [ANSWER if last else ANSWER.transpose(0, 3, 1, 2)],
            weights=(1, 2, 3, 4, 5, 6, 7, 8), channels_last=last)
case("qlinear_conv_channels_last", MS + "QLinearConv", LAST_CONV, weights=(1, 2, 3, 4, 5, 6, 7, 8), channels_last=1)
