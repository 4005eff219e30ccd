"""The networks of exports.py: how each is made, its inputs, and which of their dimensions may be dynamic."""
import dataclasses
from typing import Callable

BATCH = (1, 3, 4)       # smallest, odd, largest
SEQUENCE = (3, 13, 24)
VOCABULARY = 200


@dataclasses.dataclass
class Network:
    source: str
    make: Callable  # → module, {input name: example}
    dynamic: dict   # input name: {axis: sizes}
    opset: int = 18
    slack: float = 1  # what is allowed counts so many times: 16-bit types round
    traced: bool = False  # exported by tracing: torch.export does not follow what depends on values


def images(size, channels=3):
    import torch

    return {"image": torch.randn(2, channels, size, size)}


def vision(name, size=224, **options):
    def make():
        import torchvision

        families = torchvision.models, torchvision.models.segmentation, torchvision.models.video
        builder = next(getattr(f, name) for f in families if hasattr(f, name))
        return only_tensors(builder(weights=None, **options).eval()), images(size)

    return Network("torchvision", make, {"image": {0: BATCH}})


def detector(name, **options):
    """Of one image; scores of random weights lie close to each other, so all that passes the first selection is kept."""
    def make():
        import torch
        import torchvision

        net = getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None, num_classes=5, **options).eval()

        def run(m, image):
            found = m([image])[0]
            return found["boxes"], found["scores"], found["labels"]

        return call(net, run), {"image": torch.rand(3, 96, 128)}

    return Network("torchvision", make, {"image": {1: (96, 117, 160), 2: (96, 141, 160)}}, traced=True)


def swin_dynamic():
    """Any size: padding to windows, and masks of what the padding shifted."""
    def make():
        import torch
        import torchvision

        net = torchvision.models.SwinTransformer(patch_size=[4, 4], embed_dim=32, depths=[2, 2], num_heads=[2, 4], window_size=[7, 7],
                                                 num_classes=10)
        return net.eval(), {"image": torch.randn(2, 3, 96, 128)}

    return Network("torchvision", make, {"image": {0: BATCH, 2: (72, 101, 128), 3: (72, 118, 160)}})


def video(name):
    def make():
        import torch
        import torchvision

        return getattr(torchvision.models.video, name)(weights=None).eval(), {"video": torch.randn(2, 3, 4, 56, 56)}

    return Network("torchvision", make, {"video": {0: BATCH}})


def timm_net(name, size=224, **options):
    def make():
        import timm

        return timm.create_model(name, pretrained=False, **options).eval(), images(size)

    return Network("timm", make, {"image": {0: BATCH}})


def only_tensors(module):
    """A module that returns a tuple of tensors where `module` returns a dictionary."""
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, *inputs):
            result = self.inner(*inputs)
            return tuple(result.values()) if isinstance(result, dict) else result

    return Wrapped().eval()


def call(module, function):
    """A module whose forward is function(module, *inputs)."""
    import torch

    class Wrapped(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = module

        def forward(self, *inputs):
            return function(self.inner, *inputs)

    return Wrapped().eval()


SMALL = {"vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
         "intermediate_size": 128}


def token_inputs(mask=True):
    import torch

    inputs = {"ids": torch.randint(0, VOCABULARY, (2, 7))}
    return inputs | ({"mask": torch.ones(2, 7, dtype=torch.long)} if mask else {})


TOKENS = {"ids": {0: BATCH, 1: SEQUENCE}, "mask": {0: BATCH, 1: SEQUENCE}}


def text(model, config, function=None, mask=True, **options):
    """A text network of transformers by class names."""
    def make():
        import transformers

        made = getattr(transformers, config)(**options)
        made.use_cache = False
        made._attn_implementation = "eager"
        net = getattr(transformers, model)(made).eval()
        run = function or (lambda m, ids, mask=None: m(input_ids=ids, attention_mask=mask)[0])
        return call(net, run), token_inputs(mask)

    return Network("transformers", make, TOKENS if mask else {"ids": TOKENS["ids"]})


def picture(model, config, size=32, function=None, **options):
    def make():
        import transformers

        made = getattr(transformers, config)(**options)
        made._attn_implementation = "eager"
        net = getattr(transformers, model)(made).eval()
        return call(net, function or (lambda m, x: m(pixel_values=x)[0])), images(size)

    return Network("transformers", make, {"image": {0: BATCH}})


def gpt2_past(half=False, brain=False):
    """One step of generation: new tokens, and the keys and values of those before; `half`: all in float16, `brain`: all between inputs
    and results in bfloat16."""
    layers, heads, width = 2, 4, 16

    def make():
        import torch
        import transformers
        from transformers.cache_utils import DynamicCache

        config = transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=heads * width, n_layer=layers, n_head=heads)
        config._attn_implementation = "eager"

        def run(m, ids, mask, *past):
            cache = DynamicCache()
            past = [t.to(kind) for t in past]
            for layer in range(layers):
                cache.update(past[2 * layer], past[2 * layer + 1], layer)
            result = m(input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=True)
            present = result.past_key_values
            kept = [t for layer in present.layers for t in (layer.keys, layer.values)]
            return tuple(t.to(outside) for t in (result.logits, *kept))

        kind = torch.float16 if half else torch.bfloat16 if brain else torch.float32
        outside = torch.float32 if brain else kind
        inputs = {"ids": torch.randint(0, VOCABULARY, (2, 1)), "mask": torch.ones(2, 6, dtype=torch.long)}
        inputs |= {f"past{i}": torch.randn(2, heads, 5, width, dtype=outside) for i in range(2 * layers)}
        return call(transformers.GPT2LMHeadModel(config).to(kind).eval(), run), inputs

    longer = tuple(s + 1 for s in SEQUENCE)
    dynamic = {"ids": {0: BATCH}, "mask": {0: BATCH, 1: longer}}
    dynamic |= {f"past{i}": {0: BATCH, 2: SEQUENCE} for i in range(2 * layers)}
    return Network("transformers", make, dynamic, slack=20 if half else 200 if brain else 1)


def t5_decoder():
    def make():
        import torch
        import transformers

        config = transformers.T5Config(vocab_size=VOCABULARY, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4)
        config._attn_implementation = "eager"
        net = transformers.T5ForConditionalGeneration(config).eval()

        def run(m, ids, states):
            hidden = m.decoder(input_ids=ids, encoder_hidden_states=states, use_cache=False)[0]
            return m.lm_head(hidden)

        return call(net, run), {"ids": torch.randint(0, VOCABULARY, (2, 7)), "states": torch.randn(2, 9, 64)}

    return Network("transformers", make, {"ids": TOKENS["ids"], "states": {0: BATCH, 1: SEQUENCE}})


def t5_encoder():
    sizes = {"vocab_size": VOCABULARY, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    return text("T5EncoderModel", "T5Config", **sizes)


def whisper_encoder():
    def make():
        import torch
        import transformers

        config = transformers.WhisperConfig(d_model=64, encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=128,
                                            decoder_layers=2, decoder_attention_heads=4, decoder_ffn_dim=128,
                                            num_mel_bins=80, max_source_positions=50)
        config._attn_implementation = "eager"
        encoder = transformers.WhisperModel(config).eval().encoder
        return call(encoder, lambda m, x: m(x)[0]), {"mel": torch.randn(2, 80, 100)}

    return Network("transformers", make, {"mel": {0: BATCH}})


def wav2vec2():
    def make():
        import torch
        import transformers

        config = transformers.Wav2Vec2Config(hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
                                             intermediate_size=128, conv_dim=(32,) * 7)
        config._attn_implementation = "eager"
        net = transformers.Wav2Vec2Model(config).eval()
        return call(net, lambda m, x: m(x)[0]), {"sound": torch.randn(2, 4000)}

    return Network("transformers", make, {"sound": {0: BATCH}})


def encoder(opset):
    """torch's own transformer layers, with a causal mask; from opset 23 on the exporter writes Attention."""
    def make():
        import torch

        class Encoder(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = torch.nn.Embedding(VOCABULARY, 64)
                self.inward = torch.nn.ModuleList(torch.nn.Linear(64, 192) for _ in range(2))
                self.outward = torch.nn.ModuleList(torch.nn.Linear(64, 64) for _ in range(2))
                self.norms = torch.nn.ModuleList(torch.nn.RMSNorm(64) for _ in range(2))

            def forward(self, ids):
                x = self.embed(ids)
                for inward, outward, norm in zip(self.inward, self.outward, self.norms):
                    heads = inward(norm(x)).view(x.shape[0], x.shape[1], 3, 4, 16).permute(2, 0, 3, 1, 4)
                    y = torch.nn.functional.scaled_dot_product_attention(heads[0], heads[1], heads[2], is_causal=True)
                    x = x + outward(y.transpose(1, 2).flatten(2))
                return x

        return Encoder().eval(), token_inputs(mask=False)

    return Network("torch", make, {"ids": TOKENS["ids"]}, opset)


def recurrent(kind):
    def make():
        import torch

        class Tagger(torch.nn.Module):
            def __init__(self):
                super().__init__()
                self.embed = torch.nn.Embedding(VOCABULARY, 32)
                self.cells = getattr(torch.nn, kind)(32, 48, 2, batch_first=True, bidirectional=True)
                self.out = torch.nn.Linear(96, 11)

            def forward(self, ids):
                return self.out(self.cells(self.embed(ids))[0])

        return Tagger().eval(), token_inputs(mask=False)

    return Network("torch", make, {"ids": {0: BATCH}})


CLIP = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128}

NETWORKS = {
    "densenet121": vision("densenet121", 96),
    "googlenet": vision("googlenet", 96, aux_logits=False, init_weights=False),
    "shufflenet_v2": vision("shufflenet_v2_x1_0", 96),
    "mnasnet": vision("mnasnet1_0", 96),
    "regnet_y_400mf": vision("regnet_y_400mf", 96),
    "resnext50": vision("resnext50_32x4d", 96),
    "efficientnet_v2_s": vision("efficientnet_v2_s", 96),
    "convnext_tiny": vision("convnext_tiny", 96),
    "swin_t": vision("swin_t", 96),
    "swin_v2_t": vision("swin_v2_t", 96),
    "maxvit_t": vision("maxvit_t"),
    "alexnet": vision("alexnet"),
    "deeplabv3": vision("deeplabv3_mobilenet_v3_large", 96, weights_backbone=None),
    "fcn_resnet50": vision("fcn_resnet50", 96, weights_backbone=None),
    "lraspp": vision("lraspp_mobilenet_v3_large", 96, weights_backbone=None),
    "r3d_18": video("r3d_18"),
    "swin_dynamic": swin_dynamic(),
    "faster_rcnn": detector("fasterrcnn_mobilenet_v3_large_320_fpn", min_size=96, max_size=160, rpn_pre_nms_top_n_test=50,
                            rpn_post_nms_top_n_test=20, box_score_thresh=0.0, box_detections_per_img=20),
    "retinanet": detector("retinanet_resnet50_fpn", min_size=96, max_size=160, score_thresh=0.0, topk_candidates=20, detections_per_img=20),
    "ssd": detector("ssd300_vgg16", score_thresh=0.0, topk_candidates=20, detections_per_img=20),
    "mobilevit_s": timm_net("mobilevit_s", 128),
    "ghostnet": timm_net("ghostnet_100", 96),
    "repvgg": timm_net("repvgg_a0", 96),
    "levit": timm_net("levit_128"),
    "coat": timm_net("coat_lite_tiny"),
    "mixer": timm_net("mixer_s16_224"),
    "efficientformer": timm_net("efficientformer_l1"),
    "poolformer": timm_net("poolformer_s12", 96),
    "hrnet": timm_net("hrnet_w18_small", 64),
    "nfnet": timm_net("nf_resnet50", 96),
    "distilbert": text("DistilBertModel", "DistilBertConfig", vocab_size=VOCABULARY, dim=64, n_layers=2, n_heads=4,
                       hidden_dim=128),
    "roberta": text("RobertaModel", "RobertaConfig", **SMALL),
    "albert": text("AlbertModel", "AlbertConfig", embedding_size=32, **SMALL),
    "electra": text("ElectraModel", "ElectraConfig", embedding_size=32, **SMALL),
    "mobilebert": text("MobileBertModel", "MobileBertConfig", vocab_size=VOCABULARY, num_hidden_layers=2),
    "deberta": text("DebertaV2Model", "DebertaV2Config", relative_attention=True, pos_att_type=["p2c", "c2p"],
                    max_relative_positions=32, **SMALL),
    "gpt2": text("GPT2LMHeadModel", "GPT2Config", vocab_size=VOCABULARY, n_embd=64, n_layer=2, n_head=4),
    "gpt2_past": gpt2_past(),
    "gpt2_past_f16": gpt2_past(half=True),
    "gpt2_past_bf16": gpt2_past(brain=True),
    "llama": text("LlamaForCausalLM", "LlamaConfig", num_key_value_heads=2, **SMALL),
    "t5_encoder": t5_encoder(),
    "t5_decoder": t5_decoder(),
    "whisper_encoder": whisper_encoder(),
    "wav2vec2": wav2vec2(),
    "clip_text": text("CLIPTextModel", "CLIPTextConfig", vocab_size=VOCABULARY, max_position_embeddings=32,
                      eos_token_id=VOCABULARY - 1, **CLIP),
    "clip_vision": picture("CLIPVisionModel", "CLIPVisionConfig", image_size=32, patch_size=8, **CLIP),
    "vit": picture("ViTModel", "ViTConfig", image_size=32, patch_size=8, **CLIP),
    "dinov2": picture("Dinov2Model", "Dinov2Config", image_size=28, patch_size=14, size=28, hidden_size=64,
                      num_hidden_layers=2, num_attention_heads=4),
    "segformer": picture("SegformerForSemanticSegmentation", "SegformerConfig", 64),
    "encoder": encoder(18),
    "encoder_opset23": encoder(23),
    "lstm_tagger": recurrent("LSTM"),
    "gru_tagger": recurrent("GRU"),
}
