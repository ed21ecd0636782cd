; What the installer and the uninstaller say, in three languages: English, Chinese, Japanese.
; A text may name $INSTDIR and the like: they are filled in when it is shown.

!macro SAY NAME ENGLISH CHINESE JAPANESE
  LangString ${NAME} ${LANG_ENGLISH} "${ENGLISH}"
  LangString ${NAME} ${LANG_SIMPCHINESE} "${CHINESE}"
  LangString ${NAME} ${LANG_JAPANESE} "${JAPANESE}"
!macroend

!insertmacro SAY WELCOME_TITLE "Skein ${VERSION}" "Skein ${VERSION}" "Skein ${VERSION}"
!insertmacro SAY WELCOME_TEXT \
  "RWKV-7 on your own computer: chats that never run out of context and can always be resumed.$\r$\n$\r$\nSkein is installed for you alone; no administrator is needed. Your chats, models and states lie in a folder of their own: installing, updating and uninstalling leave them alone." \
  "在自己的电脑上运行 RWKV-7：对话永远不会耗尽上下文，并且随时可以继续。$\r$\n$\r$\nSkein 只为您安装，不需要管理员权限。您的对话、模型和状态保存在单独的文件夹中：安装、更新和卸载都不会动它们。" \
  "RWKV-7 を自分のコンピューターで：コンテキストが尽きることのない、いつでも再開できるチャット。$\r$\n$\r$\nSkein はあなただけにインストールされ、管理者権限は要りません。チャット、モデル、ステートは別のフォルダーにあり、インストール、更新、アンインストールでは変わりません。"
!insertmacro SAY START_SKEIN "Start Skein" "启动 Skein" "Skein を起動する"
!insertmacro SAY DESKTOP_ICON "Put an icon on the desktop" "在桌面上创建图标" "デスクトップにアイコンを置く"
!insertmacro SAY SHORTCUT_TIP "Chat with RWKV-7 on this computer" "在本机与 RWKV-7 对话" "このコンピューターで RWKV-7 とチャット"
!insertmacro SAY BUNDLE "Skein bundle" "Skein 包" "Skein バンドル"
!insertmacro SAY OPEN_WITH "Open with Skein" "用 Skein 打开" "Skein で開く"

!insertmacro SAY OLD_WINDOWS \
  "Skein needs Windows 10 or newer, 64 bit. Nothing was installed." \
  "Skein 需要 64 位的 Windows 10 或更新版本。没有安装任何内容。" \
  "Skein には 64 ビットの Windows 10 以降が必要です。何もインストールしていません。"
!insertmacro SAY TWO_SETUPS \
  "Another setup of Skein is running already. Finish or close that one first." \
  "另一个 Skein 安装程序正在运行。请先完成或关闭它。" \
  "Skein の別のセットアップが動いています。先にそちらを終えるか閉じてください。"
!insertmacro SAY RUNNING \
  "Skein is running. Close it and try again; it saves everything when it is closed." \
  "Skein 正在运行。请关闭它，然后重试；关闭时会保存一切。" \
  "Skein が動いています。閉じてから、もう一度試してください。閉じるときにすべて保存されます。"
!insertmacro SAY NEWER \
  "A newer Skein ($Current) is installed here. Chats that it wrote may not open in ${VERSION}." \
  "这里已安装更新的 Skein（$Current）。它写入的对话可能无法在 ${VERSION} 中打开。" \
  "ここには新しい Skein（$Current）があります。それが書いたチャットは ${VERSION} では開けないことがあります。"
!insertmacro SAY NEWER_ASK "Install the older one all the same?" "仍要安装旧版本吗？" "それでも古い版をインストールしますか。"
!insertmacro SAY NEWER_SILENT "Say /DOWNGRADE to install it." "如要安装，请使用 /DOWNGRADE。" "インストールするには /DOWNGRADE を付けてください。"
!insertmacro SAY READ_ONLY \
  "Nothing can be written to $INSTDIR. Choose another folder, or make this one writable. Nothing was installed." \
  "无法写入 $INSTDIR。请选择其他文件夹，或使其可写。没有安装任何内容。" \
  "$INSTDIR に書き込めません。別のフォルダーを選ぶか、書き込めるようにしてください。何もインストールしていません。"
!insertmacro SAY DATA_FOLDER \
  "$INSTDIR is where Skein keeps your chats and models. Choose another folder for the program." \
  "$INSTDIR 是 Skein 保存对话和模型的地方。请为程序选择其他文件夹。" \
  "$INSTDIR は Skein がチャットとモデルを保存する場所です。プログラムには別のフォルダーを選んでください。"
!insertmacro SAY LONG_FOLDER \
  "$INSTDIR is too long a path: files in it would have longer ones than Windows takes. Choose a shorter one." \
  "$INSTDIR 的路径太长：其中文件的路径会超出 Windows 的限制。请选择更短的路径。" \
  "$INSTDIR のパスは長すぎます。中のファイルが Windows の限度を超えます。短いものを選んでください。"
!insertmacro SAY FULL_DISK \
  "$INSTDIR has $FreeMb MB free, and Skein needs ${NEED_MB} MB. Free some space or choose another disk. Nothing was installed." \
  "$INSTDIR 剩余 $FreeMb MB，而 Skein 需要 ${NEED_MB} MB。请腾出空间或选择其他磁盘。没有安装任何内容。" \
  "$INSTDIR の空きは $FreeMb MB で、Skein には ${NEED_MB} MB 必要です。空けるか、別のディスクを選んでください。何もインストールしていません。"
!insertmacro SAY NOT_WRITTEN \
  "Skein's files could not be written to $INSTDIR: the disk is full, or another program (an antivirus?) held one of them. Nothing was installed; what was there before still works." \
  "无法将 Skein 的文件写入 $INSTDIR：磁盘已满，或其他程序（杀毒软件？）占用了文件。没有安装任何内容；之前的版本仍可使用。" \
  "Skein のファイルを $INSTDIR に書き込めませんでした。ディスクがいっぱいか、ほかのプログラム（ウイルス対策？）が使用中です。何もインストールしておらず、前からある版は使えます。"

!insertmacro SAY UN_TITLE "Uninstall Skein" "卸载 Skein" "Skein のアンインストール"
!insertmacro SAY UN_SUBTITLE "What else shall be deleted?" "还要删除什么？" "ほかに何を削除しますか。"
!insertmacro SAY UN_TEXT \
  "The program is removed. What you made with it lies in $DataFolder and stays, unless you tick it here: then it is deleted for good. Folders that you chose elsewhere in Settings are left alone." \
  "将卸载程序。您用它创建的内容位于 $DataFolder，会保留，除非在此勾选：那样会被永久删除。您在设置中另选的文件夹不会改动。" \
  "プログラムを削除します。作ったものは $DataFolder にあり、ここで選ばないかぎり残ります。選ぶと完全に削除されます。設定で別に選んだフォルダーには触れません。"
!insertmacro SAY UN_MODELS "Models: $0" "模型：$0" "モデル：$0"
!insertmacro SAY UN_CHATS "Chats, states and settings: $0" "对话、状态和设置：$0" "チャット、ステート、設定：$0"
!insertmacro SAY UN_CACHE \
  "GPU pack, caches and logs, which can be had again: $0" \
  "GPU 包、缓存和日志（可重新获得）：$0" \
  "GPU パック、キャッシュ、ログ（また入手できます）：$0"
!insertmacro SAY UN_NONE "none" "无" "なし"
!insertmacro SAY UN_SURE \
  "This deletes your chats, states and settings for good. Are you sure?" \
  "这将永久删除您的对话、状态和设置。确定吗？" \
  "チャット、ステート、設定を完全に削除します。よろしいですか。"
!insertmacro SAY UN_NOT_OURS \
  "There is no Skein in $INSTDIR. Nothing was removed." \
  "$INSTDIR 中没有 Skein。没有删除任何内容。" \
  "$INSTDIR に Skein はありません。何も削除していません。"
!insertmacro SAY UN_LEFT \
  "Some files of Skein in $INSTDIR are in use and could not be removed. Restart the computer and delete the folder." \
  "$INSTDIR 中的一些 Skein 文件正在使用，无法删除。请重新启动电脑，然后删除该文件夹。" \
  "$INSTDIR にある Skein のファイルの一部が使用中で削除できませんでした。再起動してからフォルダーを削除してください。"
