"""The papers that a report can cite: data sets, networks, libraries, statistics."""

import re
from typing import NamedTuple

from reports.systems.kinds import LOCALIZED


class Reference(NamedTuple):
    """One entry. fields : in the order in which they are written; values are BibTeX already."""

    key: str
    kind: str
    fields: dict[str, str]


def _article(key: str, author: str, title: str, journal: str, year: int, **more: str) -> Reference:
    fields = {"author": author, "title": f"{{{title}}}", "journal": journal, "year": str(year)}
    return Reference(key, "article", {**fields, **more})


def _paper(key: str, author: str, title: str, where: str, year: int, **more: str) -> Reference:
    fields = {"author": author, "title": f"{{{title}}}", "booktitle": where, "year": str(year)}
    return Reference(key, "inproceedings", {**fields, **more})


def _preprint(key: str, author: str, title: str, number: str, year: int) -> Reference:
    return _article(key, author, title, f"arXiv preprint arXiv:{number}", year)


_CVPR = "IEEE Conference on Computer Vision and Pattern Recognition"
_ICCV = "IEEE/CVF International Conference on Computer Vision"
_ICML = "International Conference on Machine Learning"
_NEURIPS = "Advances in Neural Information Processing Systems"
_ICLR = "International Conference on Learning Representations"

DATA_SETS = {
    "cbis-ddsm": (
        _article(
            "lee2017curated",
            "Lee, Rebecca Sawyer and Gimenez, Francisco and Hoogi, Assaf and Miyake, Kanae Kawai "
            "and Gorovoy, Mia and Rubin, Daniel L.",
            "A curated mammography data set for use in computer-aided detection and diagnosis "
            "research",
            "Scientific Data",
            2017,
            volume="4",
            pages="170177",
            doi="10.1038/sdata.2017.177",
        ),
    ),
    "mias": (
        _paper(
            "suckling1994mias",
            "Suckling, John and others",
            "The Mammographic Image Analysis Society digital mammogram database",
            "Excerpta Medica, International Congress Series 1069",
            1994,
            pages="375--378",
        ),
    ),
}

# What a name contains -> the paper of that network.
NETWORKS: dict[str, Reference] = {
    r"alexnet": _preprint(
        "krizhevsky2014weird",
        "Krizhevsky, Alex",
        "One weird trick for parallelizing convolutional neural networks",
        "1404.5997",
        2014,
    ),
    r"googlenet": _paper(
        "szegedy2015going",
        "Szegedy, Christian and Liu, Wei and Jia, Yangqing and Sermanet, Pierre and Reed, Scott "
        "and Anguelov, Dragomir and Erhan, Dumitru and Vanhoucke, Vincent and Rabinovich, Andrew",
        "Going deeper with convolutions",
        _CVPR,
        2015,
        pages="1--9",
    ),
    r"resnet": _paper(
        "he2016deep",
        "He, Kaiming and Zhang, Xiangyu and Ren, Shaoqing and Sun, Jian",
        "Deep residual learning for image recognition",
        _CVPR,
        2016,
        pages="770--778",
    ),
    r"(^|:)vit_|thesis_vit": _paper(
        "dosovitskiy2021image",
        "Dosovitskiy, Alexey and Beyer, Lucas and Kolesnikov, Alexander and Weissenborn, Dirk and "
        "Zhai, Xiaohua and Unterthiner, Thomas and Dehghani, Mostafa and Minderer, Matthias and "
        "Heigold, Georg and Gelly, Sylvain and Uszkoreit, Jakob and Houlsby, Neil",
        "An image is worth 16x16 words: transformers for image recognition at scale",
        _ICLR,
        2021,
    ),
    r"deit": _paper(
        "touvron2021training",
        "Touvron, Hugo and Cord, Matthieu and Douze, Matthijs and Massa, Francisco and "
        "Sablayrolles, Alexandre and J{\\'e}gou, Herv{\\'e}",
        "Training data-efficient image transformers and distillation through attention",
        _ICML,
        2021,
        pages="10347--10357",
    ),
    r"swin": _paper(
        "liu2021swin",
        "Liu, Ze and Lin, Yutong and Cao, Yue and Hu, Han and Wei, Yixuan and Zhang, Zheng and "
        "Lin, Stephen and Guo, Baining",
        "Swin transformer: hierarchical vision transformer using shifted windows",
        _ICCV,
        2021,
        pages="10012--10022",
    ),
    r"convnext": _paper(
        "liu2022convnet",
        "Liu, Zhuang and Mao, Hanzi and Wu, Chao-Yuan and Feichtenhofer, Christoph and Darrell, "
        "Trevor and Xie, Saining",
        "A ConvNet for the 2020s",
        _CVPR,
        2022,
        pages="11976--11986",
    ),
    r"dinov2": _article(
        "oquab2024dinov2",
        "Oquab, Maxime and Darcet, Timoth{\\'e}e and Moutakanni, Th{\\'e}o and others",
        "DINOv2: learning robust visual features without supervision",
        "Transactions on Machine Learning Research",
        2024,
    ),
    r"efficientnet": _paper(
        "tan2019efficientnet",
        "Tan, Mingxing and Le, Quoc V.",
        "EfficientNet: rethinking model scaling for convolutional neural networks",
        _ICML,
        2019,
        pages="6105--6114",
    ),
    r"cvt_": _paper(
        "wu2021cvt",
        "Wu, Haiping and Xiao, Bin and Codella, Noel and Liu, Mengchen and Dai, Xiyang and Yuan, "
        "Lu and Zhang, Lei",
        "CvT: introducing convolutions to vision transformers",
        _ICCV,
        2021,
        pages="22--31",
    ),
    r"t2t_vit": _paper(
        "yuan2021tokens",
        "Yuan, Li and Chen, Yunpeng and Wang, Tao and Yu, Weihao and Shi, Yujun and Jiang, Zihang "
        "and Tay, Francis E. H. and Feng, Jiashi and Yan, Shuicheng",
        "Tokens-to-token ViT: training vision transformers from scratch on ImageNet",
        _ICCV,
        2021,
        pages="558--567",
    ),
    r"cct_": _preprint(
        "hassani2021escaping",
        "Hassani, Ali and Walton, Steven and Shah, Nikhil and Abuduweili, Abulikemu and Li, "
        "Jiachen and Shi, Humphrey",
        "Escaping the big data paradigm with compact transformers",
        "2104.05704",
        2021,
    ),
    r"spt_lsa": _preprint(
        "lee2021vision",
        "Lee, Seung Hoon and Lee, Seunghyun and Song, Byung Cheol",
        "Vision transformer for small-size datasets",
        "2112.13492",
        2021,
    ),
    re.escape(LOCALIZED): _paper(
        "liu2021efficient",
        "Liu, Yahui and Sangineto, Enver and Bi, Wei and Sebe, Nicu and Lepri, Bruno and De Nadai, "
        "Marco",
        "Efficient training of visual transformers with small datasets",
        _NEURIPS,
        2021,
    ),
}

IMAGENET = _article(
    "russakovsky2015imagenet",
    "Russakovsky, Olga and Deng, Jia and Su, Hao and Krause, Jonathan and Satheesh, Sanjeev and "
    "Ma, Sean and Huang, Zhiheng and Karpathy, Andrej and Khosla, Aditya and Bernstein, Michael "
    "and Berg, Alexander C. and Fei-Fei, Li",
    "ImageNet large scale visual recognition challenge",
    "International Journal of Computer Vision",
    2015,
    volume="115",
    pages="211--252",
)

SVM = (
    _article(
        "cortes1995support",
        "Cortes, Corinna and Vapnik, Vladimir",
        "Support-vector networks",
        "Machine Learning",
        1995,
        volume="20",
        pages="273--297",
    ),
    _article(
        "chang2011libsvm",
        "Chang, Chih-Chung and Lin, Chih-Jen",
        "LIBSVM: a library for support vector machines",
        "ACM Transactions on Intelligent Systems and Technology",
        2011,
        volume="2",
        number="3",
        pages="27:1--27:27",
    ),
)

# Distribution -> its paper.
LIBRARIES: dict[str, Reference] = {
    "torch": _paper(
        "paszke2019pytorch",
        "Paszke, Adam and Gross, Sam and Massa, Francisco and others",
        "PyTorch: an imperative style, high-performance deep learning library",
        _NEURIPS,
        2019,
        volume="32",
    ),
    "timm": Reference(
        "wightman2019timm",
        "misc",
        {
            "author": "Wightman, Ross",
            "title": "{PyTorch image models}",
            "year": "2019",
            "doi": "10.5281/zenodo.4414861",
        },
    ),
    "torchvision": Reference(
        "torchvision2016",
        "misc",
        {
            "author": "{TorchVision maintainers and contributors}",
            "title": "{TorchVision: PyTorch's computer vision library}",
            "year": "2016",
        },
    ),
    "scikit-learn": _article(
        "pedregosa2011scikit",
        'Pedregosa, Fabian and Varoquaux, Ga{\\"e}l and Gramfort, Alexandre and others',
        "Scikit-learn: machine learning in Python",
        "Journal of Machine Learning Research",
        2011,
        volume="12",
        pages="2825--2830",
    ),
    "numpy": _article(
        "harris2020array",
        "Harris, Charles R. and Millman, K. Jarrod and van der Walt, St{\\'e}fan J. and others",
        "Array programming with NumPy",
        "Nature",
        2020,
        volume="585",
        pages="357--362",
        doi="10.1038/s41586-020-2649-2",
    ),
    "scipy": _article(
        "virtanen2020scipy",
        "Virtanen, Pauli and Gommers, Ralf and Oliphant, Travis E. and others",
        "SciPy 1.0: fundamental algorithms for scientific computing in Python",
        "Nature Methods",
        2020,
        volume="17",
        pages="261--272",
        doi="10.1038/s41592-019-0686-2",
    ),
    "pandas": _paper(
        "mckinney2010data",
        "McKinney, Wes",
        "Data structures for statistical computing in Python",
        "Proceedings of the 9th Python in Science Conference",
        2010,
        pages="56--61",
    ),
    "statsmodels": _paper(
        "seabold2010statsmodels",
        "Seabold, Skipper and Perktold, Josef",
        "statsmodels: econometric and statistical modeling with Python",
        "Proceedings of the 9th Python in Science Conference",
        2010,
    ),
    "kornia": _paper(
        "riba2020kornia",
        "Riba, Edgar and Mishkin, Dmytro and Ponsa, Daniel and Rublee, Ethan and Bradski, Gary",
        "Kornia: an open source differentiable computer vision library for PyTorch",
        "IEEE Winter Conference on Applications of Computer Vision",
        2020,
    ),
    "matplotlib": _article(
        "hunter2007matplotlib",
        "Hunter, John D.",
        "Matplotlib: a 2D graphics environment",
        "Computing in Science and Engineering",
        2007,
        volume="9",
        number="3",
        pages="90--95",
    ),
    "seaborn": _article(
        "waskom2021seaborn",
        "Waskom, Michael L.",
        "seaborn: statistical data visualization",
        "Journal of Open Source Software",
        2021,
        volume="6",
        number="60",
        pages="3021",
        doi="10.21105/joss.03021",
    ),
}

# What a statistic is called in a methods text -> its papers.
STATISTICS: dict[str, tuple[Reference, ...]] = {
    "bootstrap": (
        Reference(
            "efron1993bootstrap",
            "book",
            {
                "author": "Efron, Bradley and Tibshirani, Robert J.",
                "title": "{An introduction to the bootstrap}",
                "publisher": "Chapman and Hall",
                "year": "1993",
            },
        ),
        _article(
            "field2007bootstrapping",
            "Field, Christopher A. and Welsh, Alan H.",
            "Bootstrapping clustered data",
            "Journal of the Royal Statistical Society: Series B",
            2007,
            volume="69",
            pages="369--390",
        ),
    ),
    "holm": (
        _article(
            "holm1979simple",
            "Holm, Sture",
            "A simple sequentially rejective multiple test procedure",
            "Scandinavian Journal of Statistics",
            1979,
            volume="6",
            pages="65--70",
        ),
    ),
    "folds": (
        _article(
            "nadeau2003inference",
            "Nadeau, Claude and Bengio, Yoshua",
            "Inference for the generalization error",
            "Machine Learning",
            2003,
            volume="52",
            pages="239--281",
            doi="10.1023/A:1024068626366",
        ),
        _paper(
            "bouckaert2004evaluating",
            "Bouckaert, Remco R. and Frank, Eibe",
            "Evaluating the replicability of significance tests for comparing learning algorithms",
            "Advances in Knowledge Discovery and Data Mining (PAKDD)",
            2004,
            series="Lecture Notes in Computer Science",
            volume="3056",
            pages="3--12",
            doi="10.1007/978-3-540-24775-3_3",
        ),
    ),
    "platt": (
        Reference(
            "platt1999probabilistic",
            "incollection",
            {
                "author": "Platt, John C.",
                "title": "{Probabilistic outputs for support vector machines and comparisons to "
                "regularized likelihood methods}",
                "booktitle": "Advances in Large Margin Classifiers",
                "publisher": "MIT Press",
                "year": "1999",
                "pages": "61--74",
            },
        ),
        _article(
            "lin2007note",
            "Lin, Hsuan-Tien and Lin, Chih-Jen and Weng, Ruby C.",
            "A note on Platt's probabilistic outputs for support vector machines",
            "Machine Learning",
            2007,
            volume="68",
            pages="267--276",
        ),
    ),
    "brier": (
        _article(
            "brier1950verification",
            "Brier, Glenn W.",
            "Verification of forecasts expressed in terms of probability",
            "Monthly Weather Review",
            1950,
            volume="78",
            number="1",
            pages="1--3",
        ),
    ),
    "decision": (
        _article(
            "vickers2006decision",
            "Vickers, Andrew J. and Elkin, Elena B.",
            "Decision curve analysis: a novel method for evaluating prediction models",
            "Medical Decision Making",
            2006,
            volume="26",
            pages="565--574",
            doi="10.1177/0272989X06295361",
        ),
    ),
}

# Where the page shows where scores come from.
SALIENCY = (
    _paper(
        "selvaraju2017grad",
        "Selvaraju, Ramprasaath R. and Cogswell, Michael and Das, Abhishek and Vedantam, "
        "Ramakrishna and Parikh, Devi and Batra, Dhruv",
        "Grad-CAM: visual explanations from deep networks via gradient-based localization",
        "IEEE International Conference on Computer Vision",
        2017,
        pages="618--626",
    ),
    _paper(
        "adebayo2018sanity",
        "Adebayo, Julius and Gilmer, Justin and Muelly, Michael and Goodfellow, Ian and Hardt, "
        "Moritz and Kim, Been",
        "Sanity checks for saliency maps",
        _NEURIPS,
        2018,
        volume="31",
    ),
    _preprint(
        "kokhlikyan2020captum",
        "Kokhlikyan, Narine and Miglani, Vivek and Martin, Miguel and Wang, Edward and Alsallakh, "
        "Bilal and Reynolds, Jonathan and Melnikov, Alexander and Kliushkina, Natalia and Araya, "
        "Carlos and Yan, Siqi and Reblitz-Richardson, Orion",
        "Captum: a unified and generic model interpretability library for PyTorch",
        "2009.07896",
        2020,
    ),
)
