//! What is true right now? A façade of plain data over store, language and evaluator.
