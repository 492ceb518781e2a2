"""The sentences of the chat page, Chinese first, English beside it."""

from __future__ import annotations

CHAT: dict[str, tuple[str, str]] = {
    "nav_chat": ("问答", "Chat"),
    "chat": ("医学问答", "Medical questions"),
    "chat_hint": (
        "回答取自知识图谱、诊断引擎和本机文档,逐句标明来源。不给剂量,不开处方。对话只在本页,不保存。",
        "Answers come from the graph, the engine and local documents, each sentence with its source. No doses, no "
        "prescriptions. The conversation stays on this page and is not kept.",
    ),
    "chat_ask": ("问一个医学问题,或写下病情…", "Ask a medical question, or describe a case…"),
    "chat_send": ("发送", "Send"),
    "chat_stop": ("停止", "Stop"),
    "chat_new": ("新对话", "New chat"),
    "chat_copy": ("复制", "Copy"),
    "chat_copied": ("已复制,含人工智能生成标识。", "Copied, with the label that it is AI-generated."),
    "chat_sources": ("来源", "Sources"),
    "chat_sources_none": ("回答引用的来源会列在这里。", "The sources that an answer cites are listed here."),
    "chat_label": ("人工智能生成", "AI-generated"),
    "chat_stopped": ("已停止,回答不完整。", "Stopped: the answer is incomplete."),
    "chat_unsupported": ("未获支持", "unsupported"),
    "chat_graph": ("图谱", "graph"),
    "chat_document": ("文档", "document"),
    "chat_tool": ("引擎", "engine"),
    "chat_writing": ("正在作答…", "Answering…"),
    "chat_example_1": ("高血压要做哪些检查?", "What tests does hypertension need?"),
    "chat_example_2": ("布洛芬和华法林能一起吃吗?", "Can ibuprofen and warfarin be taken together?"),
    "chat_example_3": (
        "发热咳嗽3天,女,30岁,可能是什么?",
        "Fever and cough for 3 days, woman of 30: what could it be?",
    ),
}
