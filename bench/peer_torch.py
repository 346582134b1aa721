"""The usual script: build torchvision's vgg16, load the weights, classify one image; prints the top 5.

    peer_torch.py vgg16.pth image.jpg
"""
import sys

import torch
from PIL import Image
from torchvision import models, transforms

model = models.vgg16()
model.load_state_dict(torch.load(sys.argv[1]))
model.eval()
prepare = transforms.Compose([transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
                              transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])
with torch.no_grad():
    logits = model(prepare(Image.open(sys.argv[2]).convert("RGB")).unsqueeze(0))[0]
for value, index in zip(*torch.topk(logits, 5)):
    print(int(index), float(value))
