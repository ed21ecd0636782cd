#include "words.h"

#include <stdio.h>
#define WIN32_LEAN_AND_MEAN
#include <windows.h>

#define BLOCKED_BY_POLICY 4551 /* Smart App Control, among others: a program that nobody signed */

static const wchar_t *choose(const wchar_t *english, const wchar_t *chinese,
                             const wchar_t *japanese) {
    switch (PRIMARYLANGID(GetUserDefaultUILanguage())) {
    case LANG_CHINESE: return chinese;
    case LANG_JAPANESE: return japanese;
    default: return english;
    }
}

/* One %ls after the other; what does not fit is cut. */
static void put(wchar_t *text, const wchar_t *format, const wchar_t *a, const wchar_t *b) {
    _snwprintf(text, SENTENCE_ROOM, format, a, b);
    text[SENTENCE_ROOM - 1] = 0;
}

void sentence_incomplete(wchar_t *text, const wchar_t *root, const wchar_t *version) {
    put(text,
        choose(L"Skein is incomplete: version '%ls' is not in %ls. Install Skein again; chats and "
               L"models are kept.",
               L"Skein 安装不完整：没有版本'%ls'（%ls）。请重新安装 Skein；对话和模型会保留。",
               L"Skein が不完全です：バージョン'%ls'がありません（%ls）。再インストールしてください。"
               L"チャットとモデルは残ります。"),
        version, root);
}

void sentence_refused(wchar_t *text, const wchar_t *program, unsigned long error) {
    wchar_t why[512] = L"";
    DWORD_PTR names[9]; /* what the system's own sentence may call %1 */
    for (int i = 0; i < 9; i++) names[i] = (DWORD_PTR)program;
    FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_ARGUMENT_ARRAY, NULL, error, 0, why,
                   512, (va_list *)names);
    for (size_t end = wcslen(why); end && (why[end - 1] == L'\n' || why[end - 1] == L'\r');)
        why[--end] = 0;
    if (!why[0]) _snwprintf(why, 512, L"%lu", error);
    if (error == BLOCKED_BY_POLICY)
        put(text,
            choose(L"Windows does not let %ls start, because its maker is not known to it (Smart "
                   L"App Control): %ls Whoever looks after this computer can allow it.",
                   L"Windows 不允许启动 %ls，因为它不认识其发布者（智能应用控制）：%ls "
                   L"请由此电脑的管理者允许它。",
                   L"発行元が不明なため、Windows は %ls を起動できません（スマート アプリ "
                   L"コントロール）：%ls このコンピューターの管理者が許可できます。"),
            program, why);
    else
        put(text,
            choose(L"Windows does not start %ls: %ls Install Skein again; chats and models are "
                   L"kept.",
                   L"Windows 无法启动 %ls：%ls 请重新安装 Skein；对话和模型会保留。",
                   L"Windows が %ls を起動できません：%ls 再インストールしてください。チャットと"
                   L"モデルは残ります。"),
            program, why);
}

void sentence_ended(wchar_t *text, unsigned long code) {
    wchar_t number[16];
    _snwprintf(number, 16, code > 0xffff ? L"0x%08lx" : L"%lu", code);
    put(text,
        choose(L"Skein ended before its window came (%ls). Start it again; if that does not help, "
               L"run %ls in a terminal to read why, or install Skein again: chats and models are "
               L"kept.",
               L"Skein 在窗口出现之前就结束了（%ls）。请再次启动；如仍不行，在终端运行 %ls "
               L"查看原因，或重新安装 Skein：对话和模型会保留。",
               L"ウィンドウが出る前に Skein が終了しました（%ls）。もう一度起動してください。"
               L"だめなら、端末で %ls を実行して理由を読むか、再インストールしてください。"
               L"チャットとモデルは残ります。"),
        number, L"skein.com");
}
