"""The names of classifiers, which reports read without the package that fits them."""

from classifiers import KERNELS
from reports.systems.names import _SVM_KERNELS, names_svm


def test_reports_know_the_kernels_of_the_svms() -> None:
    assert set(_SVM_KERNELS) == set(KERNELS)
    assert all(names_svm(f"{kernel}+pca+tuned") for kernel in KERNELS)
    assert not any(map(names_svm, ("softmax", "logistic", "knn", "majority", "selected")))
