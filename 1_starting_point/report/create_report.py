# makes weekly_report.html from the notebook
# usage: cd report, set the dates in the notebook, python create_report.py, mail the html
import nbformat
from nbconvert import HTMLExporter
from nbconvert.preprocessors import ExecutePreprocessor

nb = nbformat.read('weekly_report.ipynb', as_version=4)
ExecutePreprocessor(timeout=600, kernel_name='python3').preprocess(nb, {'metadata': {'path': '.'}})

exporter = HTMLExporter()
exporter.exclude_input = True
html, _ = exporter.from_notebook_node(nb)

with open('weekly_report.html', 'w', encoding='utf-8') as f:
    f.write(html)
print('weekly_report.html written, do not forget to rename it')
