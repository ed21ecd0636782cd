<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="ja" sourcelanguage="en">
<context>
    <name>AboutSection</name>
    <message>
        <source>About</source>
        <translation>情報</translation>
    </message>
    <message>
        <source>Version {0}</source>
        <translation>バージョン {0}</translation>
    </message>
    <message>
        <source>RWKV-7 on your desktop. Apache-2.0.</source>
        <translation>デスクトップで動く RWKV-7。Apache-2.0。</translation>
    </message>
    <message>
        <source>What is new</source>
        <translation>新機能</translation>
    </message>
    <message>
        <source>Updates</source>
        <translation>更新</translation>
    </message>
    <message>
        <source>When something goes wrong</source>
        <translation>問題が起きたとき</translation>
    </message>
    <message>
        <source>Open logs</source>
        <translation>ログを開く</translation>
    </message>
    <message>
        <source>Logs</source>
        <translation>ログ</translation>
    </message>
    <message>
        <source>They hold no chat and no token.</source>
        <translation>チャットの内容やアクセストークンは含まれません。</translation>
    </message>
    <message>
        <source>Show report</source>
        <translation>レポートを表示</translation>
    </message>
    <message>
        <source>Last crash report</source>
        <translation>直近のクラッシュレポート</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>コピー</translation>
    </message>
    <message>
        <source>Versions</source>
        <translation>バージョン情報</translation>
    </message>
    <message>
        <source>For a question or a bug report.</source>
        <translation>質問や不具合の報告に使います。</translation>
    </message>
    <message>
        <source>Made with</source>
        <translation>使用しているライブラリ</translation>
    </message>
</context>
<context>
    <name>AddPanel</name>
    <message>
        <source>Repository or file on Hugging Face</source>
        <translation>Hugging Face のリポジトリまたはファイル</translation>
    </message>
    <message>
        <source>Look up</source>
        <translation>検索</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>閉じる</translation>
    </message>
    <message>
        <source>Owner and name, a file in it, or the address of its page.</source>
        <translation>「所有者/名前」、その中のファイル、またはページのアドレスを入力します。</translation>
    </message>
    <message>
        <source>Looking it up…</source>
        <translation>検索しています…</translation>
    </message>
</context>
<context>
    <name>Attachments</name>
    <message>
        <source>{0} is larger than {1} MB.</source>
        <translation>{0} は {1} MB を超えています。</translation>
    </message>
    <message>
        <source>{0} could not be read: {1}.</source>
        <translation>{0} を読み取れませんでした: {1}。</translation>
    </message>
    <message>
        <source>{0} is not a text file.</source>
        <translation>{0} はテキストファイルではありません。</translation>
    </message>
</context>
<context>
    <name>BuiltIn</name>
    <message>
        <source>{0}, the built-in model</source>
        <translation>内蔵モデル {0}</translation>
    </message>
    <message>
        <source>small, offline, knows this app</source>
        <translation>小型、オフライン、このアプリに詳しい</translation>
    </message>
    <message>
        <source>Comes with Skein</source>
        <translation>Skein に付属</translation>
    </message>
</context>
<context>
    <name>ChatDelegate</name>
    <message>
        <source>New title</source>
        <translation>新しいタイトル</translation>
    </message>
</context>
<context>
    <name>ChatDesk</name>
    <message>
        <source>The next message begins a new branch</source>
        <translation>次のメッセージから新しい分岐になります</translation>
    </message>
    <message>
        <source>Go back</source>
        <translation>元に戻る</translation>
    </message>
    <message>
        <source>Deleted</source>
        <translation>削除しました</translation>
    </message>
</context>
<context>
    <name>ChatList</name>
    <message>
        <source>Chats</source>
        <translation>チャット</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>チャット</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>名前を変更</translation>
    </message>
    <message>
        <source>Unpin</source>
        <translation>ピン留めを外す</translation>
    </message>
    <message>
        <source>Pin</source>
        <translation>ピン留め</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>削除</translation>
    </message>
</context>
<context>
    <name>ChatPage</name>
    <message>
        <source>Parameters</source>
        <translation>パラメータ</translation>
    </message>
    <message>
        <source>Copied</source>
        <translation>コピーしました</translation>
    </message>
    <message>
        <source>loading {0} %</source>
        <translation>読み込み中 {0}%</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>モデルを選択</translation>
    </message>
    <message>
        <source>Load as {0}</source>
        <translation>{0} で読み込む</translation>
    </message>
    <message>
        <source>Choose another model</source>
        <translation>別のモデルを選ぶ</translation>
    </message>
    <message>
        <source>Recommended for this computer</source>
        <translation>このコンピュータにおすすめ</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>ダウンロード</translation>
    </message>
    <message>
        <source>See the download</source>
        <translation>ダウンロードを見る</translation>
    </message>
    <message>
        <source>Ready on this computer</source>
        <translation>このコンピュータですぐ使えます</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>読み込む</translation>
    </message>
</context>
<context>
    <name>CommandPalette</name>
    <message>
        <source>Search chats and commands</source>
        <translation>チャットとコマンドを検索</translation>
    </message>
    <message>
        <source>Nothing found</source>
        <translation>見つかりませんでした</translation>
    </message>
    <message>
        <source>Results</source>
        <translation>検索結果</translation>
    </message>
</context>
<context>
    <name>Composer</name>
    <message>
        <source>Message</source>
        <translation>メッセージ</translation>
    </message>
    <message>
        <source>Write a message</source>
        <translation>メッセージを入力</translation>
    </message>
    <message>
        <source>Thinking</source>
        <translation>思考</translation>
    </message>
    <message>
        <source>How long the model thinks before it answers</source>
        <translation>回答する前にどれだけ考えるか</translation>
    </message>
    <message>
        <source>Insert a text file</source>
        <translation>テキストファイルを挿入</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>送信</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>No thinking</source>
        <translation>思考なし</translation>
    </message>
    <message>
        <source>Fast</source>
        <translation>すばやく思考</translation>
    </message>
    <message>
        <source>Think</source>
        <translation>思考する</translation>
    </message>
    <message>
        <source>Think a lot</source>
        <translation>じっくり思考</translation>
    </message>
    <message>
        <source>{0} tokens</source>
        <translation>{0} トークン</translation>
    </message>
    <message>
        <source>{0} characters</source>
        <translation>{0} 文字</translation>
    </message>
    <message>
        <source>Insert text files</source>
        <translation>テキストファイルを挿入</translation>
    </message>
</context>
<context>
    <name>ConversationModel</name>
    <message>
        <source>Pinned</source>
        <translation>ピン留め</translation>
    </message>
    <message>
        <source>Today</source>
        <translation>今日</translation>
    </message>
    <message>
        <source>Yesterday</source>
        <translation>昨日</translation>
    </message>
    <message>
        <source>Previous 7 days</source>
        <translation>過去 7 日間</translation>
    </message>
    <message>
        <source>Older</source>
        <translation>それ以前</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>新しいチャット</translation>
    </message>
    <message>
        <source>pinned</source>
        <translation>ピン留め</translation>
    </message>
    <message>
        <source>open</source>
        <translation>表示中</translation>
    </message>
    <message>
        <source>writing</source>
        <translation>生成中</translation>
    </message>
</context>
<context>
    <name>CrashReport</name>
    <message>
        <source>Crash report</source>
        <translation>クラッシュレポート</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>コピー</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>閉じる</translation>
    </message>
    <message>
        <source>It stays on this computer. Copy it into a bug report if you like.</source>
        <translation>このコンピュータにだけ保存されます。よろしければ不具合の報告に貼り付けてください。</translation>
    </message>
    <message>
        <source>There is no report: nothing went wrong.</source>
        <translation>レポートはありません。問題は起きていません。</translation>
    </message>
</context>
<context>
    <name>DownloadBar</name>
    <message>
        <source>Download of {0}</source>
        <translation>{0} のダウンロード</translation>
    </message>
    <message>
        <source>Pause download of {0}</source>
        <translation>{0} のダウンロードを一時停止</translation>
    </message>
    <message>
        <source>Resume download of {0}</source>
        <translation>{0} のダウンロードを再開</translation>
    </message>
    <message>
        <source>Cancel download of {0}</source>
        <translation>{0} のダウンロードを中止</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>再試行</translation>
    </message>
    <message>
        <source>Try again: {0}</source>
        <translation>再試行: {0}</translation>
    </message>
    <message>
        <source>Free space</source>
        <translation>容量を空ける</translation>
    </message>
    <message>
        <source>Free space on the disk</source>
        <translation>ディスクの容量を空ける</translation>
    </message>
    <message>
        <source>{0} %</source>
        <translation>{0}%</translation>
    </message>
    <message>
        <source>{0} of {1}</source>
        <translation>{0} / {1}</translation>
    </message>
    <message>
        <source>Waiting for another download</source>
        <translation>ほかのダウンロードを待っています</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>一時停止中</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>中断しました</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>開始しています…</translation>
    </message>
    <message>
        <source>Checking the file…</source>
        <translation>ファイルを検証しています…</translation>
    </message>
</context>
<context>
    <name>DownloadControls</name>
    <message>
        <source>Download</source>
        <translation>ダウンロード</translation>
    </message>
    <message>
        <source>Download {0}</source>
        <translation>{0} をダウンロード</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>読み込む</translation>
    </message>
    <message>
        <source>Load {0}</source>
        <translation>{0} を読み込む</translation>
    </message>
    <message>
        <source>Loaded</source>
        <translation>読み込み済み</translation>
    </message>
</context>
<context>
    <name>DownloadDesk</name>
    <message>
        <source>Downloaded {0}</source>
        <translation>{0} をダウンロードしました</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>読み込む</translation>
    </message>
</context>
<context>
    <name>DropArea</name>
    <message>
        <source>Drop it to open it</source>
        <translation>ドロップして開く</translation>
    </message>
    <message>
        <source>A model in any format, a folder, a LoRA, a state, or a page of the hub</source>
        <translation>あらゆる形式のモデル、フォルダ、LoRA、状態、またはハブのページ</translation>
    </message>
</context>
<context>
    <name>ErrorLine</name>
    <message>
        <source>Retry</source>
        <translation>再試行</translation>
    </message>
</context>
<context>
    <name>FileRow</name>
    <message>
        <source>too large for this computer</source>
        <translation>このコンピュータには大きすぎます</translation>
    </message>
</context>
<context>
    <name>FilterChips</name>
    <message>
        <source>Filter</source>
        <translation>絞り込み</translation>
    </message>
    <message>
        <source>All sizes</source>
        <translation>すべてのサイズ</translation>
    </message>
    <message>
        <source>Fits this computer</source>
        <translation>このコンピュータで動作</translation>
    </message>
    <message>
        <source>All formats</source>
        <translation>すべての形式</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>フォルダ</translation>
    </message>
</context>
<context>
    <name>Formats</name>
    <message>
        <source>mixed</source>
        <translation>混合</translation>
    </message>
    <message>
        <source>{0}-bit</source>
        <translation>{0} ビット</translation>
    </message>
    <message>
        <source>{0}, an older generation</source>
        <translation>{0}（旧世代）</translation>
    </message>
    <message>
        <source>Nothing of it was rounded after training.</source>
        <translation>学習後に丸められたところはありません。</translation>
    </message>
    <message>
        <source>The smaller download: this computer computes in 8 bits in any case.</source>
        <translation>ダウンロードが小さく済みます。このコンピュータはいずれにせよ 8 ビットで計算します。</translation>
    </message>
    <message>
        <source>There is no file of this release with more bits.</source>
        <translation>このリリースにはこれよりビット数の多いファイルがありません。</translation>
    </message>
    <message>
        <source>Hugging Face folder</source>
        <translation>Hugging Face フォルダ</translation>
    </message>
</context>
<context>
    <name>GeneralSection</name>
    <message>
        <source>General</source>
        <translation>一般</translation>
    </message>
    <message>
        <source>Look</source>
        <translation>外観</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>言語</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>システムに合わせる</translation>
    </message>
    <message>
        <source>Takes effect when Skein is started again.</source>
        <translation>Skein の再起動後に有効になります。</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>テーマ</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>ライト</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>ダーク</translation>
    </message>
    <message>
        <source>Text size</source>
        <translation>文字サイズ</translation>
    </message>
    <message>
        <source>Also Ctrl+Plus and Ctrl+Minus.</source>
        <translation>Ctrl++ と Ctrl+- でも変えられます。</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>チャット</translation>
    </message>
    <message>
        <source>Send with</source>
        <translation>送信キー</translation>
    </message>
    <message>
        <source>Enter (Shift+Enter breaks the line)</source>
        <translation>Enter（Shift+Enter で改行）</translation>
    </message>
    <message>
        <source>Ctrl+Enter (Enter breaks the line)</source>
        <translation>Ctrl+Enter（Enter で改行）</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>起動</translation>
    </message>
    <message>
        <source>Load the last model</source>
        <translation>前回のモデルを読み込む</translation>
    </message>
    <message>
        <source>When Skein starts, the model of last time is made ready.</source>
        <translation>Skein の起動時に、前回使ったモデルを準備します。</translation>
    </message>
</context>
<context>
    <name>GpuPackDesk</name>
    <message>
        <source>{0} could do the work</source>
        <translation>{0} で計算できます</translation>
    </message>
    <message>
        <source>With the GPU pack models run on the card, mostly many times as fast. It is a download of {0}.</source>
        <translation>GPU パックを入れるとモデルがカードで動き、多くの場合は何倍も速くなります。ダウンロードは {0} です。</translation>
    </message>
    <message>
        <source>Look at it</source>
        <translation>見てみる</translation>
    </message>
    <message>
        <source>Not now</source>
        <translation>今はしない</translation>
    </message>
    <message>
        <source>The GPU pack is not used</source>
        <translation>GPU パックは使われていません</translation>
    </message>
    <message>
        <source>It is damaged, or made for another version than this Skein. The processor does the work until it is fetched again.</source>
        <translation>壊れているか、別の版の Skein 用です。入手し直すまではプロセッサで計算します。</translation>
    </message>
    <message>
        <source>The GPU pack is ready</source>
        <translation>GPU パックの準備ができました</translation>
    </message>
    <message>
        <source>It is used from the next start on. Chats are saved, whenever that is.</source>
        <translation>次回の起動から使われます。チャットは保存されているので、再起動はいつでも構いません。</translation>
    </message>
    <message>
        <source>The GPU pack was removed</source>
        <translation>GPU パックを削除しました</translation>
    </message>
    <message>
        <source>It is in use until Skein ends. Its files go at the next start.</source>
        <translation>Skein を終了するまでは使用中です。ファイルは次回の起動時に削除されます。</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>今すぐ再起動</translation>
    </message>
    <message>
        <source>Later</source>
        <translation>あとで</translation>
    </message>
</context>
<context>
    <name>GpuPackPanel</name>
    <message>
        <source>GPU pack</source>
        <translation>GPU パック</translation>
    </message>
    <message>
        <source>Get GPU pack</source>
        <translation>GPU パックを入手</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>今すぐ再起動</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>一時停止</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>キャンセル</translation>
    </message>
    <message>
        <source>Repair</source>
        <translation>修復</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>削除…</translation>
    </message>
    <message>
        <source>Package index</source>
        <translation>パッケージインデックス</translation>
    </message>
    <message>
        <source>Where PyTorch&apos;s packages come from, for example a mirror. Empty: the address that Skein knows. Every file is checked, wherever it comes from.</source>
        <translation>PyTorch のパッケージの入手先です。ミラーサイトなど。空欄の場合は Skein が知っているアドレスを使います。どこから来たファイルもすべて検証します。</translation>
    </message>
    <message>
        <source>Write an address such as https://host/simple.</source>
        <translation>https://host/simple のようなアドレスを入力してください。</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>再試行</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>続ける</translation>
    </message>
    <message>
        <source>Skein can be used meanwhile. The pack counts from the next start on.</source>
        <translation>その間も Skein を使えます。パックは次回の起動から有効です。</translation>
    </message>
    <message>
        <source>Stopping…</source>
        <translation>停止しています…</translation>
    </message>
    <message>
        <source>Removing…</source>
        <translation>削除しています…</translation>
    </message>
    <message>
        <source>It is in use until Skein ends. Its files go at the next start.</source>
        <translation>Skein を終了するまでは使用中です。ファイルは次回の起動時に削除されます。</translation>
    </message>
    <message>
        <source>The GPU pack was removed</source>
        <translation>GPU パックを削除しました</translation>
    </message>
    <message>
        <source>Repairing the GPU pack…</source>
        <translation>GPU パックを修復しています…</translation>
    </message>
    <message>
        <source>Getting the GPU pack…</source>
        <translation>GPU パックを入手しています…</translation>
    </message>
    <message>
        <source>It is damaged, or made for another version than this Skein. The processor does the work until it is fetched again.</source>
        <translation>壊れているか、別の版の Skein 用です。入手し直すまではプロセッサで計算します。</translation>
    </message>
    <message>
        <source>The GPU pack is not used</source>
        <translation>GPU パックは使われていません</translation>
    </message>
    <message>
        <source>PyTorch {0} for NVIDIA cards ({1}).</source>
        <translation>NVIDIA カード用の PyTorch {0}（{1}）です。</translation>
    </message>
    <message>
        <source>The GPU pack is in use</source>
        <translation>GPU パックを使用中です</translation>
    </message>
    <message>
        <source>It was tried out on this card. It is used from the next start on.</source>
        <translation>このカードで動作を確かめました。次回の起動から使われます。</translation>
    </message>
    <message>
        <source>The GPU pack is ready</source>
        <translation>GPU パックの準備ができました</translation>
    </message>
    <message>
        <source>{0} of {1} of the GPU pack are here</source>
        <translation>GPU パック: {0} / {1} 受信済み</translation>
    </message>
    <message>
        <source>The GPU pack is PyTorch for NVIDIA cards. With it models run on the card, which is mostly many times as fast. Without it the processor goes on doing the work.</source>
        <translation>GPU パックは NVIDIA カード用の PyTorch です。入れるとモデルがカードで動き、多くの場合は何倍も速くなります。なくても、これまでどおりプロセッサで動きます。</translation>
    </message>
    <message>
        <source>{0} could do the work</source>
        <translation>{0} で計算できます</translation>
    </message>
    <message>
        <source>It needs {0} of the disk; {1} are free.</source>
        <translation>ディスクに {0} 必要です（空き {1}）。</translation>
    </message>
    <message>
        <source>Free some space, then look again.</source>
        <translation>容量を空けてから、再検出してください。</translation>
    </message>
    <message>
        <source>{0} to download: about {1} min at 100 Mbit/s.</source>
        <translation>ダウンロードは {0}、100 Mbit/s でおよそ {1} 分です。</translation>
    </message>
    <message>
        <source>It takes {0} of the disk.</source>
        <translation>ディスクを {0} 使っています。</translation>
    </message>
    <message>
        <source>Checking</source>
        <translation>検証中</translation>
    </message>
    <message>
        <source>Unpacking</source>
        <translation>展開中</translation>
    </message>
    <message>
        <source>Trying it out on the card</source>
        <translation>カードで試しています</translation>
    </message>
    <message>
        <source>Almost done</source>
        <translation>まもなく完了</translation>
    </message>
    <message>
        <source>Looking for the files</source>
        <translation>ファイルを探しています</translation>
    </message>
    <message>
        <source>{0} of {1}</source>
        <translation>{0} / {1}</translation>
    </message>
    <message>
        <source>Remove GPU pack</source>
        <translation>GPU パックの削除</translation>
    </message>
    <message>
        <source>Remove the GPU pack and free {0}?</source>
        <translation>GPU パックを削除して {0} を空けますか？</translation>
    </message>
    <message>
        <source>The processor does the work then. The pack can be downloaded again.</source>
        <translation>以後はプロセッサで計算します。パックはまたダウンロードできます。</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>削除</translation>
    </message>
    <message>
        <source>The NVIDIA driver {0} is too old for every GPU pack. Install a newer driver, then look again.</source>
        <translation>NVIDIA ドライバ {0} は古く、使える GPU パックがありません。新しいドライバを入れてから再検出してください。</translation>
    </message>
    <message>
        <source>This card is too old for PyTorch: the processor does the work.</source>
        <translation>このカードは PyTorch には古すぎるため、プロセッサで計算します。</translation>
    </message>
    <message>
        <source>This card is newer than the packs that Skein knows. Update Skein.</source>
        <translation>このカードは Skein が知っているパックより新しいものです。Skein を更新してください。</translation>
    </message>
    <message>
        <source>A GPU pack suits this card, but this version of Skein does not list its files yet. Update Skein.</source>
        <translation>このカードに合う GPU パックはありますが、この版の Skein にはまだファイルの一覧がありません。Skein を更新してください。</translation>
    </message>
    <message>
        <source>The GPU packs that Skein knows are for another version of PyTorch. Update Skein.</source>
        <translation>Skein が知っている GPU パックは別の版の PyTorch 用です。Skein を更新してください。</translation>
    </message>
    <message>
        <source>There is no PyTorch for NVIDIA cards on this system.</source>
        <translation>このシステムには NVIDIA カード用の PyTorch がありません。</translation>
    </message>
    <message>
        <source>There is no NVIDIA card in this computer.</source>
        <translation>このコンピュータに NVIDIA カードはありません。</translation>
    </message>
</context>
<context>
    <name>InferenceSection</name>
    <message>
        <source>Inference</source>
        <translation>推論</translation>
    </message>
    <message>
        <source>How models run</source>
        <translation>モデルの動かし方</translation>
    </message>
    <message>
        <source>No model is loaded</source>
        <translation>モデルは読み込まれていません</translation>
    </message>
    <message>
        <source>The strategy is chosen when a model is loaded.</source>
        <translation>戦略はモデルの読み込み時に選ばれます。</translation>
    </message>
    <message>
        <source>Strategy</source>
        <translation>戦略</translation>
    </message>
    <message>
        <source>auto lets Skein choose. Or write one, for example “cuda fp16”, “cpu int8” or “cuda fp16 *20 -&gt; cpu fp32”. It counts from the next load on.</source>
        <translation>auto なら Skein が選びます。「cuda fp16」「cpu int8」「cuda fp16 *20 -&gt; cpu fp32」のように指定することもできます。次回の読み込みから有効です。</translation>
    </message>
    <message>
        <source>Save power</source>
        <translation>節電</translation>
    </message>
    <message>
        <source>The processor computes with half of its cores at most: cooler, quieter and easier on the battery, but often slower.</source>
        <translation>プロセッサは最大でも半分のコアで計算します。発熱と騒音が抑えられ、バッテリーも長持ちしますが、多くの場合遅くなります。</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>適用</translation>
    </message>
    <message>
        <source>Auto</source>
        <translation>自動</translation>
    </message>
    <message>
        <source>This computer</source>
        <translation>このコンピュータ</translation>
    </message>
    <message>
        <source>What was detected</source>
        <translation>検出結果</translation>
    </message>
    <message>
        <source>Looking at this computer…</source>
        <translation>このコンピュータを調べています…</translation>
    </message>
    <message>
        <source>Look again</source>
        <translation>再検出</translation>
    </message>
    <message>
        <source>Reads {0}, writes {1}</source>
        <translation>読み取り {0}、生成 {1}</translation>
    </message>
    <message>
        <source>{0}, {1} free</source>
        <translation>{0}（空き {1}）</translation>
    </message>
    <message>
        <source>System</source>
        <translation>システム</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>プロセッサ</translation>
    </message>
    <message>
        <source>Cores</source>
        <translation>コア</translation>
    </message>
    <message>
        <source>{0} cores, {1} threads</source>
        <translation>{0} コア、{1} スレッド</translation>
    </message>
    <message>
        <source>Instructions</source>
        <translation>命令セット</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>メモリ</translation>
    </message>
    <message>
        <source>Memory speed</source>
        <translation>メモリ速度</translation>
    </message>
    <message>
        <source>Not measured yet</source>
        <translation>未計測</translation>
    </message>
    <message>
        <source>Graphics</source>
        <translation>グラフィックス</translation>
    </message>
    <message>
        <source>No card that can compute was found</source>
        <translation>計算に使えるカードは見つかりませんでした</translation>
    </message>
    <message>
        <source>PyTorch</source>
        <translation>PyTorch</translation>
    </message>
    <message>
        <source>Not found</source>
        <translation>見つかりません</translation>
    </message>
    <message>
        <source>{0}, {1}, {2} free</source>
        <translation>{0}、{1}（空き {2}）</translation>
    </message>
    <message>
        <source>, driver {0}</source>
        <translation>、ドライバ {0}</translation>
    </message>
    <message>
        <source>{0}. Not usable: {1}</source>
        <translation>{0}。使用不可: {1}</translation>
    </message>
</context>
<context>
    <name>KeysList</name>
    <message>
        <source>Keys</source>
        <translation>ショートカット</translation>
    </message>
</context>
<context>
    <name>KeysOverlay</name>
    <message>
        <source>Keys</source>
        <translation>ショートカット</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>閉じる</translation>
    </message>
</context>
<context>
    <name>KeysSection</name>
    <message>
        <source>Keys</source>
        <translation>ショートカット</translation>
    </message>
</context>
<context>
    <name>LoraDesk</name>
    <message>
        <source>{0} is a LoRA, and no model on this computer is the one that it changes.</source>
        <translation>{0} は LoRA ですが、それが変更するモデルはこのコンピュータにありません。</translation>
    </message>
    <message>
        <source>Download or open the model that it was trained on, then drop it again.</source>
        <translation>学習に使われたモデルをダウンロードするか開いてから、もう一度ドロップしてください。</translation>
    </message>
    <message>
        <source>{0}: rank {1}, changes {2} matrices.</source>
        <translation>{0}: ランク {1}、{2} 個の行列を変更します。</translation>
    </message>
</context>
<context>
    <name>LoraDialog</name>
    <message>
        <source>LoRAs of a model</source>
        <translation>モデルの LoRA</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Add LoRA…</source>
        <translation>LoRA を追加…</translation>
    </message>
    <message>
        <source>Apply and load</source>
        <translation>適用して読み込む</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>適用</translation>
    </message>
    <message>
        <source>Add LoRA files</source>
        <translation>LoRA ファイルを追加</translation>
    </message>
    <message>
        <source>LoRAs (*.pth *.safetensors *.st)</source>
        <translation>LoRA (*.pth *.safetensors *.st)</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>すべてのファイル (*)</translation>
    </message>
    <message>
        <source>LoRAs</source>
        <translation>LoRA</translation>
    </message>
    <message>
        <source>They change the weights while the model is loaded, in this order. 1 is as trained, 0 switches one off, 2 doubles it. Skein remembers them for this model.</source>
        <translation>モデルの読み込み中に、この順で重みを変更します。1 は学習どおり、0 は無効、2 は 2 倍です。Skein はこのモデルの設定として覚えます。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>キャンセル</translation>
    </message>
</context>
<context>
    <name>LoraRow</name>
    <message>
        <source>Strength of {0}</source>
        <translation>{0} の強さ</translation>
    </message>
    <message>
        <source>Apply {0} earlier</source>
        <translation>{0} を先に適用</translation>
    </message>
    <message>
        <source>Apply {0} later</source>
        <translation>{0} を後に適用</translation>
    </message>
    <message>
        <source>Take {0} away</source>
        <translation>{0} を外す</translation>
    </message>
</context>
<context>
    <name>LoraRows</name>
    <message>
        <source>None yet.</source>
        <translation>まだありません。</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Skein&apos;s engine for processors is missing here; PyTorch computes instead.</source>
        <translation>この環境には Skein のプロセッサー用エンジンがないため、PyTorch で計算します。</translation>
    </message>
    <message>
        <source>All works, but slower. Install a C++ compiler, then install Skein again.</source>
        <translation>すべての機能が使えますが、遅くなります。C++ コンパイラーをインストールしてから、Skein を再インストールしてください。</translation>
    </message>
    <message>
        <source>Skein did not end well last time.</source>
        <translation>前回、Skein は正常に終了しませんでした。</translation>
    </message>
    <message>
        <source>Chats are saved while they are written. The report says what happened.</source>
        <translation>チャットは生成しながら保存されています。何が起きたかはレポートで確認できます。</translation>
    </message>
    <message>
        <source>Show report</source>
        <translation>レポートを表示</translation>
    </message>
    <message>
        <source>Deleted “{0}”</source>
        <translation>「{0}」を削除しました</translation>
    </message>
    <message>
        <source>Something unexpected went wrong.</source>
        <translation>予期しない問題が発生しました。</translation>
    </message>
    <message>
        <source>You can go on. If Skein behaves strangely, start it again.</source>
        <translation>このまま続けられます。動作がおかしいときは Skein を再起動してください。</translation>
    </message>
</context>
<context>
    <name>MessageBar</name>
    <message>
        <source>Previous version</source>
        <translation>前のバージョン</translation>
    </message>
    <message>
        <source>Next version</source>
        <translation>次のバージョン</translation>
    </message>
    <message>
        <source>Version {0} of {1}</source>
        <translation>バージョン {0} / {1}</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>コピー</translation>
    </message>
    <message>
        <source>Branch from here</source>
        <translation>ここから分岐</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>削除</translation>
    </message>
    <message>
        <source>More actions</source>
        <translation>その他の操作</translation>
    </message>
    <message>
        <source>Answer</source>
        <translation>回答する</translation>
    </message>
    <message>
        <source>Regenerate</source>
        <translation>再生成</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>編集</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>続きを生成</translation>
    </message>
</context>
<context>
    <name>MessageBrowser</name>
    <message>
        <source>Copy code</source>
        <translation>コードをコピー</translation>
    </message>
    <message>
        <source>code</source>
        <translation>コード</translation>
    </message>
</context>
<context>
    <name>MessageView</name>
    <message>
        <source>You</source>
        <translation>あなた</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Actions for the message of {0}</source>
        <translation>{0} のメッセージの操作</translation>
    </message>
    <message>
        <source>Show all {0} characters</source>
        <translation>{0} 文字すべてを表示</translation>
    </message>
    <message>
        <source>Another chat is being answered first…</source>
        <translation>先に別のチャットに回答しています…</translation>
    </message>
    <message>
        <source>Reading {0} of {1} tokens…</source>
        <translation>{0} / {1} トークンを読み取り中…</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>準備しています…</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>メッセージ</translation>
    </message>
    <message>
        <source>Copy selection</source>
        <translation>選択範囲をコピー</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>コピー</translation>
    </message>
    <message>
        <source>Copy as Markdown</source>
        <translation>Markdown としてコピー</translation>
    </message>
    <message>
        <source>Save as persona…</source>
        <translation>ペルソナとして保存…</translation>
    </message>
    <message>
        <source>Export state…</source>
        <translation>状態を書き出す…</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>編集</translation>
    </message>
    <message>
        <source>Regenerate</source>
        <translation>再生成</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>続きを生成</translation>
    </message>
    <message>
        <source>Branch from here</source>
        <translation>ここから分岐</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>削除</translation>
    </message>
</context>
<context>
    <name>ModelButton</name>
    <message>
        <source>Choose a model</source>
        <translation>モデルを選択</translation>
    </message>
    <message>
        <source>Model: {0}</source>
        <translation>モデル: {0}</translation>
    </message>
    <message>
        <source>{0}  (Ctrl+L)</source>
        <translation>{0}  (Ctrl+L)</translation>
    </message>
</context>
<context>
    <name>ModelCard</name>
    <message>
        <source>Recommended</source>
        <translation>おすすめ</translation>
    </message>
    <message>
        <source>On this computer</source>
        <translation>ダウンロード済み</translation>
    </message>
    <message>
        <source>{0} parameters</source>
        <translation>{0} パラメータ</translation>
    </message>
    <message>
        <source>release {0}</source>
        <translation>リリース {0}</translation>
    </message>
</context>
<context>
    <name>ModelDesk</name>
    <message>
        <source>Models of {0} are listed now: {1}</source>
        <translation>{0} のモデルを一覧に加えました: {1}</translation>
    </message>
    <message>
        <source>Holds from the next load on</source>
        <translation>次回の読み込みから有効になります</translation>
    </message>
    <message>
        <source>Load again</source>
        <translation>読み込み直す</translation>
    </message>
</context>
<context>
    <name>ModelPicker</name>
    <message>
        <source>Models on this computer</source>
        <translation>このコンピュータのモデル</translation>
    </message>
    <message>
        <source>No model is on this computer yet.</source>
        <translation>このコンピュータにはまだモデルがありません。</translation>
    </message>
    <message>
        <source>Eject</source>
        <translation>アンロード</translation>
    </message>
    <message>
        <source>All models</source>
        <translation>すべてのモデル</translation>
    </message>
</context>
<context>
    <name>ModelsPage</name>
    <message>
        <source>Open a model file</source>
        <translation>モデルファイルを開く</translation>
    </message>
    <message>
        <source>Models, LoRAs and states ({0})</source>
        <translation>モデル、LoRA、状態 ({0})</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>すべてのファイル (*)</translation>
    </message>
    <message>
        <source>Delete model</source>
        <translation>モデルの削除</translation>
    </message>
    <message>
        <source>Delete {0} from this computer?</source>
        <translation>{0} をこのコンピュータから削除しますか？</translation>
    </message>
    <message>
        <source>{0}
{1}. This cannot be undone; chats and their states stay.</source>
        <translation>{0}
{1}。この操作は取り消せません。チャットとその状態は残ります。</translation>
    </message>
    <message>
        <source>Delete file</source>
        <translation>ファイルを削除</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Refresh the lists</source>
        <translation>一覧を更新</translation>
    </message>
    <message>
        <source>Add from address</source>
        <translation>アドレスから追加</translation>
    </message>
    <message>
        <source>Open file…</source>
        <translation>ファイルを開く…</translation>
    </message>
    <message>
        <source>Which models</source>
        <translation>表示するモデル</translation>
    </message>
    <message>
        <source>Search models</source>
        <translation>モデルを検索</translation>
    </message>
    <message>
        <source>List of models</source>
        <translation>モデルの一覧</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>再試行</translation>
    </message>
    <message>
        <source>Found {0}: see the list below.</source>
        <translation>{0} 件見つかりました。下の一覧をご覧ください。</translation>
    </message>
    <message>
        <source>Deleted {0}</source>
        <translation>{0} を削除しました</translation>
    </message>
    <message>
        <source>Download of {0} is complete</source>
        <translation>{0} のダウンロードが完了しました</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>準備完了</translation>
    </message>
    <message>
        <source>Available</source>
        <translation>ダウンロード可能</translation>
    </message>
    <message>
        <source>No model matches</source>
        <translation>条件に合うモデルがありません</translation>
    </message>
    <message>
        <source>Try fewer words, or show all sizes and formats.</source>
        <translation>キーワードを減らすか、すべてのサイズと形式を表示してください。</translation>
    </message>
    <message>
        <source>Show all</source>
        <translation>すべて表示</translation>
    </message>
    <message>
        <source>Looking for models…</source>
        <translation>モデルを探しています…</translation>
    </message>
    <message>
        <source>No models on this computer yet</source>
        <translation>このコンピュータにはまだモデルがありません</translation>
    </message>
    <message>
        <source>Download one that fits, open a file, or drop one here.</source>
        <translation>合うモデルをダウンロードするか、ファイルを開くか、ここにドロップしてください。</translation>
    </message>
    <message>
        <source>See what fits</source>
        <translation>動作するモデルを見る</translation>
    </message>
    <message>
        <source>Asking the hub what there is…</source>
        <translation>モデルの一覧を取得しています…</translation>
    </message>
    <message>
        <source>The list of models is empty</source>
        <translation>モデルの一覧は空です</translation>
    </message>
    <message>
        <source>It is read from the hub: connect to the network, then refresh.</source>
        <translation>一覧はモデルハブから取得します。ネットワークに接続してから更新してください。</translation>
    </message>
    <message>
        <source>Refresh</source>
        <translation>更新</translation>
    </message>
    <message>
        <source>Looking at this computer…</source>
        <translation>このコンピュータを調べています…</translation>
    </message>
    <message>
        <source>{0} of memory, {1} free</source>
        <translation>メモリ {0}（空き {1}）</translation>
    </message>
    <message>
        <source>{0}, {1} free</source>
        <translation>{0}（空き {1}）</translation>
    </message>
    <message>
        <source>d MMM yyyy, HH:mm</source>
        <translation>yyyy年M月d日 HH:mm</translation>
    </message>
    <message>
        <source>Showing the list as it was on {0}.</source>
        <translation>{0} 時点の一覧を表示しています。</translation>
    </message>
    <message>
        <source>Showing the list as it was on {0} (a day ago).</source>
        <translation>{0}（1 日前）時点の一覧を表示しています。</translation>
    </message>
    <message>
        <source>Showing the list as it was on {0} ({1} days ago).</source>
        <translation>{0}（{1} 日前）時点の一覧を表示しています。</translation>
    </message>
</context>
<context>
    <name>NotesPanel</name>
    <message>
        <source>Close</source>
        <translation>閉じる</translation>
    </message>
</context>
<context>
    <name>Notice</name>
    <message>
        <source>Close notice</source>
        <translation>お知らせを閉じる</translation>
    </message>
</context>
<context>
    <name>PaletteModel</name>
    <message>
        <source>New chat</source>
        <translation>新しいチャット</translation>
    </message>
</context>
<context>
    <name>ParametersDrawer</name>
    <message>
        <source>Parameters</source>
        <translation>パラメータ</translation>
    </message>
    <message>
        <source>By model ({0})</source>
        <translation>モデルに合わせる（{0}）</translation>
    </message>
    <message>
        <source>No state yet: it begins with the first message.</source>
        <translation>状態はまだありません。最初のメッセージから始まります。</translation>
    </message>
    <message>
        <source>saved on disk</source>
        <translation>ディスクに保存済み</translation>
    </message>
    <message>
        <source>in memory</source>
        <translation>メモリ上</translation>
    </message>
    <message>
        <source>{0} tokens read, {1}, {2}</source>
        <translation>{0} トークン読み取り済み、{1}、{2}</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>Higher is more varied; 0 always takes the likeliest word</source>
        <translation>高いほど多様になります。0 では常に最も確率の高い語を選びます</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Only the likeliest words up to this share</source>
        <translation>確率の高い順に、合計がこの値になるまでの語だけを使います</translation>
    </message>
    <message>
        <source>Top-k</source>
        <translation>Top-k</translation>
    </message>
    <message>
        <source>Only this many of the likeliest; 0 is off</source>
        <translation>確率の高い順に、この数の語だけを使います。0 でオフ</translation>
    </message>
    <message>
        <source>Min-p</source>
        <translation>Min-p</translation>
    </message>
    <message>
        <source>Only words at least this likely, of the best</source>
        <translation>最も確率の高い語と比べ、この割合以上の確率の語だけを使います</translation>
    </message>
    <message>
        <source>Presence penalty</source>
        <translation>存在ペナルティ</translation>
    </message>
    <message>
        <source>Makes words that were written already less likely</source>
        <translation>すでに出た語を出にくくします</translation>
    </message>
    <message>
        <source>Frequency penalty</source>
        <translation>頻度ペナルティ</translation>
    </message>
    <message>
        <source>Makes words less likely each time they are written</source>
        <translation>語が出るたびに、さらに出にくくします</translation>
    </message>
    <message>
        <source>Penalty decay</source>
        <translation>ペナルティ減衰</translation>
    </message>
    <message>
        <source>How slowly penalties fade; 1 never</source>
        <translation>大きいほどペナルティがゆっくり薄れます。1 では薄れません</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>プリセット</translation>
    </message>
    <message>
        <source>Recommended for the model</source>
        <translation>モデルの推奨値</translation>
    </message>
    <message>
        <source>Precise</source>
        <translation>正確</translation>
    </message>
    <message>
        <source>Creative</source>
        <translation>創造的</translation>
    </message>
    <message>
        <source>Own values</source>
        <translation>カスタム</translation>
    </message>
    <message>
        <source>System text</source>
        <translation>システムプロンプト</translation>
    </message>
    <message>
        <source>Who the model is, how it should answer</source>
        <translation>モデルの役割や答え方</translation>
    </message>
    <message>
        <source>Thinking</source>
        <translation>思考</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>シード</translation>
    </message>
    <message>
        <source>Random</source>
        <translation>ランダム</translation>
    </message>
    <message>
        <source>Longest answer</source>
        <translation>回答の最大長</translation>
    </message>
    <message>
        <source>No limit</source>
        <translation>無制限</translation>
    </message>
    <message>
        <source>Chat format</source>
        <translation>チャット形式</translation>
    </message>
    <message>
        <source>By model</source>
        <translation>モデルに合わせる</translation>
    </message>
    <message>
        <source>Close parameters</source>
        <translation>パラメータを閉じる</translation>
    </message>
    <message>
        <source>Persona</source>
        <translation>ペルソナ</translation>
    </message>
    <message>
        <source>Sampling</source>
        <translation>サンプリング</translation>
    </message>
    <message>
        <source>Longest answer, in tokens</source>
        <translation>回答の最大長（トークン）</translation>
    </message>
    <message>
        <source>State</source>
        <translation>状態</translation>
    </message>
    <message>
        <source>No thinking</source>
        <translation>思考なし</translation>
    </message>
    <message>
        <source>Fast</source>
        <translation>すばやく思考</translation>
    </message>
    <message>
        <source>Think</source>
        <translation>思考する</translation>
    </message>
    <message>
        <source>Think a lot</source>
        <translation>じっくり思考</translation>
    </message>
</context>
<context>
    <name>PersonaDesk</name>
    <message>
        <source>state</source>
        <translation>状態</translation>
    </message>
    <message>
        <source>{0} is a state for models of {1} layers, {2} wide.</source>
        <translation>{0} は {1} 層、幅 {2} のモデル用の状態です。</translation>
    </message>
    <message>
        <source>It has read {0} tokens.</source>
        <translation>{0} トークンを読んでいます。</translation>
    </message>
    <message>
        <source>Saved as persona {0}: a new chat can begin with it</source>
        <translation>ペルソナ「{0}」として保存しました。新しいチャットをここから始められます</translation>
    </message>
    <message>
        <source>Wrote {0}</source>
        <translation>{0} を書き出しました</translation>
    </message>
    <message>
        <source>This format holds no token shifts: the first words after this state can differ a little.</source>
        <translation>この形式にはトークンシフトが入りません。このステートの直後の言葉が少し変わることがあります。</translation>
    </message>
    <message>
        <source>Deleted the persona {0}</source>
        <translation>ペルソナ「{0}」を削除しました</translation>
    </message>
</context>
<context>
    <name>PersonaField</name>
    <message>
        <source>Delete persona</source>
        <translation>ペルソナの削除</translation>
    </message>
    <message>
        <source>Delete the persona {0}?</source>
        <translation>ペルソナ「{0}」を削除しますか？</translation>
    </message>
    <message>
        <source>{0}. This cannot be undone. Chats that began with it keep their texts; to go on with one, choose another persona or none there.</source>
        <translation>{0}。この操作は取り消せません。これで始めたチャットの文章は残りますが、続けるには、そこで別のペルソナか「なし」を選んでください。</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>削除</translation>
    </message>
    <message>
        <source>Persona</source>
        <translation>ペルソナ</translation>
    </message>
    <message>
        <source>Delete this persona</source>
        <translation>このペルソナを削除</translation>
    </message>
    <message>
        <source>Export this persona…</source>
        <translation>このペルソナを書き出す…</translation>
    </message>
    <message>
        <source>Import a state as persona…</source>
        <translation>状態をペルソナとして取り込む…</translation>
    </message>
    <message>
        <source>None</source>
        <translation>なし</translation>
    </message>
    <message>
        <source>{0} (for another model)</source>
        <translation>{0}（別のモデル用）</translation>
    </message>
    <message>
        <source>{0} (missing)</source>
        <translation>{0}（不在）</translation>
    </message>
    <message>
        <source>This chat has begun and keeps its beginning; start a new chat.</source>
        <translation>このチャットは始まっているため変更できません。新しいチャットを開いてください。</translation>
    </message>
    <message>
        <source>A saved state that a new chat begins with: a character, or knowledge read before</source>
        <translation>新しいチャットの出発点になる保存済みの状態：人物の性格や、前もって読んだ知識</translation>
    </message>
    <message>
        <source>Choose another one or None: then the whole chat is read again.</source>
        <translation>別のペルソナか「なし」を選ぶと、チャット全体を読み直して続けます。</translation>
    </message>
    <message>
        <source>Has read {0} tokens; the system text is not used.</source>
        <translation>{0} トークン読み取り済み。システムプロンプトは使われません。</translation>
    </message>
    <message>
        <source>Load a model to see its personas.</source>
        <translation>モデルを読み込むと、そのペルソナが表示されます。</translation>
    </message>
    <message>
        <source>None yet for this model. Drop a state file on the window, or choose “Save as persona” under a reply.</source>
        <translation>このモデルにはまだありません。状態のファイルをウィンドウにドロップするか、返答の下で「ペルソナとして保存」を選んでください。</translation>
    </message>
</context>
<context>
    <name>PersonaNamePrompt</name>
    <message>
        <source>Save as persona</source>
        <translation>ペルソナとして保存</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名前</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>The model as it is after this reply, with all that it has read in this chat. A new chat can begin with it: Parameters, Persona.</source>
        <translation>この返答の直後のモデルを、このチャットで読んだ内容ごと保存します。新しいチャットをここから始められます（パラメータ › ペルソナ）。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>キャンセル</translation>
    </message>
    <message>
        <source>Replace</source>
        <translation>置き換える</translation>
    </message>
    <message>
        <source>There is one of this name already; it would be replaced.</source>
        <translation>同じ名前のペルソナがあります。置き換えられます。</translation>
    </message>
</context>
<context>
    <name>PlanLine</name>
    <message>
        <source>Cannot be run</source>
        <translation>実行不可</translation>
    </message>
    <message>
        <source>Looking at this computer…</source>
        <translation>このコンピュータを調べています…</translation>
    </message>
    <message>
        <source>Its needs are known once it is here.</source>
        <translation>必要なリソースはダウンロード後にわかります。</translation>
    </message>
    <message>
        <source>Fits</source>
        <translation>動作可能</translation>
    </message>
    <message>
        <source>Tight</source>
        <translation>ぎりぎり</translation>
    </message>
    <message>
        <source>Too large</source>
        <translation>大きすぎます</translation>
    </message>
</context>
<context>
    <name>PrivacySection</name>
    <message>
        <source>Privacy</source>
        <translation>プライバシー</translation>
    </message>
    <message>
        <source>What leaves this computer</source>
        <translation>このコンピュータの外に出るもの</translation>
    </message>
    <message>
        <source>There is no telemetry, no account and no advertising.</source>
        <translation>テレメトリも、アカウントも、広告もありません。</translation>
    </message>
    <message>
        <source>Chats, states and models stay on this computer.</source>
        <translation>チャット、状態、モデルはこのコンピュータに残ります。</translation>
    </message>
    <message>
        <source>Skein connects to the hub of models: for the list of models when it starts or when you look for one, and to download. A GPU pack is downloaded when you ask for it.</source>
        <translation>Skein はモデルのハブに接続します。起動時やモデルを探すときの一覧の取得と、ダウンロードのためです。GPU パックは、求められたときにダウンロードします。</translation>
    </message>
    <message>
        <source>Only if you agreed, it also looks once a day for a newer version of itself. It reads one signed file and says nothing about you or this computer.</source>
        <translation>同意した場合にだけ、自分の新しいバージョンを 1 日に 1 回確認します。署名されたファイルを 1 つ読むだけで、あなたやこのコンピューターについては何も伝えません。</translation>
    </message>
    <message>
        <source>It connects to nothing else.</source>
        <translation>それ以外にはどこにも接続しません。</translation>
    </message>
    <message>
        <source>“Work offline” under Models and storage stops even that.</source>
        <translation>「モデルと保存先」の「オフラインで使う」をオンにすると、それも行いません。</translation>
    </message>
    <message>
        <source>Crash reports are written to a file here; nobody gets them unless you send.</source>
        <translation>クラッシュレポートはこのコンピュータのファイルに書き込まれます。自分で送らない限り、誰にも渡りません。</translation>
    </message>
</context>
<context>
    <name>QuestionEditor</name>
    <message>
        <source>Edit the message</source>
        <translation>メッセージを編集</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>送信</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>キャンセル</translation>
    </message>
</context>
<context>
    <name>ReadyCard</name>
    <message>
        <source>Loaded</source>
        <translation>読み込み済み</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>読み込む</translation>
    </message>
    <message>
        <source>Load {0}</source>
        <translation>{0} を読み込む</translation>
    </message>
    <message>
        <source>Eject</source>
        <translation>アンロード</translation>
    </message>
    <message>
        <source>Eject {0}</source>
        <translation>{0} をアンロード</translation>
    </message>
    <message>
        <source>LoRAs of {0}</source>
        <translation>{0} の LoRA</translation>
    </message>
    <message>
        <source>Show {0} in its folder</source>
        <translation>{0} をフォルダで表示</translation>
    </message>
    <message>
        <source>Delete {0}</source>
        <translation>{0} を削除</translation>
    </message>
    <message>
        <source>Loading of {0}</source>
        <translation>{0} の読み込み</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>再試行</translation>
    </message>
    <message>
        <source>Try again: {0}</source>
        <translation>再試行: {0}</translation>
    </message>
    <message>
        <source>Loading…</source>
        <translation>読み込み中…</translation>
    </message>
    <message>
        <source>{0} parameters</source>
        <translation>{0} パラメータ</translation>
    </message>
    <message>
        <source>release {0}</source>
        <translation>リリース {0}</translation>
    </message>
    <message>
        <source>starts from its own state</source>
        <translation>付属の状態から始まります</translation>
    </message>
    <message>
        <source>With {0}</source>
        <translation>{0} を適用</translation>
    </message>
    <message>
        <source>Apply to a model…</source>
        <translation>モデルに適用…</translation>
    </message>
    <message>
        <source>Keep as persona…</source>
        <translation>ペルソナとして保存…</translation>
    </message>
    <message>
        <source>Loading… {0} %</source>
        <translation>読み込み中… {0}%</translation>
    </message>
    <message>
        <source>Load as {0}</source>
        <translation>{0} で読み込む</translation>
    </message>
</context>
<context>
    <name>ReplacedWatch</name>
    <message>
        <source>Skein was updated while it was running.</source>
        <translation>Skein は実行中に更新されました。</translation>
    </message>
    <message>
        <source>Start it again: until then parts of it may not work. Chats are kept.</source>
        <translation>再起動してください。それまで一部の機能が動かないことがあります。チャットは残ります。</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>今すぐ再起動</translation>
    </message>
    <message>
        <source>Later</source>
        <translation>あとで</translation>
    </message>
    <message>
        <source>Skein was removed while it was running.</source>
        <translation>Skein は実行中にアンインストールされました。</translation>
    </message>
    <message>
        <source>Parts of it may not work any more. Chats, models and states stay.</source>
        <translation>一部の機能はもう動かないことがあります。チャット、モデル、ステートは残ります。</translation>
    </message>
</context>
<context>
    <name>Reply</name>
    <message>
        <source>{0} tokens/s</source>
        <translation>{0} トークン/秒</translation>
    </message>
    <message>
        <source>{0} tokens</source>
        <translation>{0} トークン</translation>
    </message>
    <message>
        <source>{0} s</source>
        <translation>{0} 秒</translation>
    </message>
    <message>
        <source>read {0} at {1}/s</source>
        <translation>読み取り {0}（{1}/秒）</translation>
    </message>
    <message>
        <source>read {0}</source>
        <translation>読み取り {0}</translation>
    </message>
    <message>
        <source>resumed from state</source>
        <translation>状態から再開</translation>
    </message>
    <message>
        <source>no saved state: read again</source>
        <translation>保存済みの状態がないため再読み取り</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>停止</translation>
    </message>
</context>
<context>
    <name>SafeStart</name>
    <message>
        <source>The default settings are saved</source>
        <translation>既定の設定を保存しました</translation>
    </message>
    <message>
        <source>Skein was started safely.</source>
        <translation>Skein をセーフスタートしました。</translation>
    </message>
    <message>
        <source>Models run on the processor, and changed settings are forgotten when Skein is closed. If all is well this way, a model, the graphics card or a setting ended the last start.</source>
        <translation>モデルはプロセッサで動き、変更した設定は Skein を閉じると失われます。この状態で問題がなければ、前回の起動はモデル、グラフィックカード、または設定が原因で終わりました。</translation>
    </message>
    <message>
        <source>Start as usual</source>
        <translation>通常どおり起動</translation>
    </message>
    <message>
        <source>Keep default settings</source>
        <translation>既定の設定を保存</translation>
    </message>
    <message>
        <source>Start safely</source>
        <translation>セーフスタート</translation>
    </message>
</context>
<context>
    <name>SafeStartDialog</name>
    <message>
        <source>Show report</source>
        <translation>レポートを表示</translation>
    </message>
    <message>
        <source>Start as usual</source>
        <translation>通常どおり起動</translation>
    </message>
    <message>
        <source>Start safely</source>
        <translation>セーフスタート</translation>
    </message>
    <message>
        <source>The last start did not finish</source>
        <translation>前回の起動は完了しませんでした</translation>
    </message>
    <message>
        <source>Skein ended while it loaded {0}.</source>
        <translation>{0} の読み込み中に Skein が終了しました。</translation>
    </message>
    <message>
        <source>Skein ended before its window was ready.</source>
        <translation>ウィンドウの準備ができる前に Skein が終了しました。</translation>
    </message>
    <message>
        <source>A safe start computes on the processor, without a GPU pack, with default settings that are not saved, and loads no model by itself. Chats and models stay as they are.</source>
        <translation>セーフスタートでは、GPU パックを使わずプロセッサで計算し、既定の設定を使って保存せず、モデルを自動で読み込みません。チャットとモデルはそのまま残ります。</translation>
    </message>
    <message>
        <source>Crash report</source>
        <translation>クラッシュレポート</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>コピー</translation>
    </message>
    <message>
        <source>Hide report</source>
        <translation>レポートを隠す</translation>
    </message>
</context>
<context>
    <name>SettingsDesk</name>
    <message>
        <source>The language changes when Skein starts again</source>
        <translation>言語は Skein の再起動後に変わります</translation>
    </message>
    <message>
        <source>In a safe start no folder can be moved.</source>
        <translation>セーフスタート中はフォルダを移動できません。</translation>
    </message>
    <message>
        <source>Its settings are forgotten at the end. Start as usual, then try again.</source>
        <translation>この間の設定は終了時に失われます。通常どおり起動してから、もう一度お試しください。</translation>
    </message>
    <message>
        <source>The folder cannot be moved while a model is downloaded.</source>
        <translation>モデルのダウンロード中はフォルダを移動できません。</translation>
    </message>
    <message>
        <source>Wait for the download or pause it, then try again.</source>
        <translation>ダウンロードの完了を待つか一時停止してから、もう一度お試しください。</translation>
    </message>
    <message>
        <source>Moving: {0} %</source>
        <translation>移動中: {0}%</translation>
    </message>
    <message>
        <source>Moved to {0}</source>
        <translation>{0} に移動しました</translation>
    </message>
</context>
<context>
    <name>SettingsPage</name>
    <message>
        <source>Settings</source>
        <translation>設定</translation>
    </message>
    <message>
        <source>Sections</source>
        <translation>項目</translation>
    </message>
    <message>
        <source>General</source>
        <translation>一般</translation>
    </message>
    <message>
        <source>Models and storage</source>
        <translation>モデルと保存先</translation>
    </message>
    <message>
        <source>Inference</source>
        <translation>推論</translation>
    </message>
    <message>
        <source>Privacy</source>
        <translation>プライバシー</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>ショートカット</translation>
    </message>
    <message>
        <source>About</source>
        <translation>情報</translation>
    </message>
</context>
<context>
    <name>SettingsStore</name>
    <message>
        <source>The settings could not be saved: {0}.</source>
        <translation>設定を保存できませんでした: {0}。</translation>
    </message>
    <message>
        <source>They hold until Skein is closed. Check the disk.</source>
        <translation>設定は Skein を閉じるまで有効です。ディスクを確認してください。</translation>
    </message>
</context>
<context>
    <name>Shortcuts</name>
    <message>
        <source>New chat</source>
        <translation>新しいチャット</translation>
    </message>
    <message>
        <source>Search chats and commands</source>
        <translation>チャットとコマンドを検索</translation>
    </message>
    <message>
        <source>Choose model</source>
        <translation>モデルを選択</translation>
    </message>
    <message>
        <source>Show chat</source>
        <translation>チャットを表示</translation>
    </message>
    <message>
        <source>Show models</source>
        <translation>モデルを表示</translation>
    </message>
    <message>
        <source>Show settings</source>
        <translation>設定を表示</translation>
    </message>
    <message>
        <source>Fold or unfold sidebar</source>
        <translation>サイドバーを開閉</translation>
    </message>
    <message>
        <source>Show or hide parameters</source>
        <translation>パラメータを表示/非表示</translation>
    </message>
    <message>
        <source>Rename chat</source>
        <translation>チャットの名前を変更</translation>
    </message>
    <message>
        <source>Edit the last message</source>
        <translation>直前のメッセージを編集</translation>
    </message>
    <message>
        <source>Regenerate the last answer</source>
        <translation>直前の回答を再生成</translation>
    </message>
    <message>
        <source>Stop writing</source>
        <translation>生成を停止</translation>
    </message>
    <message>
        <source>Larger text</source>
        <translation>文字を大きく</translation>
    </message>
    <message>
        <source>Smaller text</source>
        <translation>文字を小さく</translation>
    </message>
    <message>
        <source>Normal text size</source>
        <translation>文字を標準サイズに</translation>
    </message>
    <message>
        <source>Light or dark</source>
        <translation>ライト/ダークを切り替え</translation>
    </message>
    <message>
        <source>List of keys</source>
        <translation>ショートカット一覧</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>終了</translation>
    </message>
</context>
<context>
    <name>Sidebar</name>
    <message>
        <source>Sidebar</source>
        <translation>サイドバー</translation>
    </message>
    <message>
        <source>Skein</source>
        <translation>Skein</translation>
    </message>
    <message>
        <source>Fold sidebar</source>
        <translation>サイドバーを閉じる</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>新しいチャット</translation>
    </message>
    <message>
        <source>Search chats</source>
        <translation>チャットを検索</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>チャット</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>設定</translation>
    </message>
    <message>
        <source>Unfold sidebar</source>
        <translation>サイドバーを開く</translation>
    </message>
    <message>
        <source>Nothing found</source>
        <translation>見つかりませんでした</translation>
    </message>
    <message>
        <source>No chat holds “{0}”.</source>
        <translation>「{0}」を含むチャットはありません。</translation>
    </message>
    <message>
        <source>No chats yet</source>
        <translation>チャットはまだありません</translation>
    </message>
    <message>
        <source>Write a message: it becomes the first chat.</source>
        <translation>メッセージを送ると始まります。</translation>
    </message>
</context>
<context>
    <name>StateFiles</name>
    <message>
        <source>State of Skein (*.safetensors)</source>
        <translation>Skein の状態 (*.safetensors)</translation>
    </message>
    <message>
        <source>time_state of RWKV-PEFT and RWKV Runner (*.pth)</source>
        <translation>RWKV-PEFT・RWKV Runner の time_state (*.pth)</translation>
    </message>
    <message>
        <source>State of web-rwkv and Ai00 (*.st)</source>
        <translation>web-rwkv・Ai00 の状態 (*.st)</translation>
    </message>
    <message>
        <source>Export state</source>
        <translation>状態を書き出す</translation>
    </message>
    <message>
        <source>Import states</source>
        <translation>状態を取り込む</translation>
    </message>
    <message>
        <source>States ({0})</source>
        <translation>状態 ({0})</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>すべてのファイル (*)</translation>
    </message>
</context>
<context>
    <name>StatePrompt</name>
    <message>
        <source>Keep a state as persona</source>
        <translation>状態をペルソナとして保存</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名前</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Any of its size: none is on this computer</source>
        <translation>同じ大きさのモデルすべて（このコンピュータにはありません）</translation>
    </message>
    <message>
        <source>Keep this state as a persona</source>
        <translation>この状態をペルソナとして保存</translation>
    </message>
    <message>
        <source>A new chat can then begin with it: Parameters, Persona.</source>
        <translation>その後、新しいチャットをこれで始められます: パラメータ、ペルソナ。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>キャンセル</translation>
    </message>
    <message>
        <source>Replace</source>
        <translation>置き換える</translation>
    </message>
    <message>
        <source>Keep</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>There is one of this name already; it would be replaced.</source>
        <translation>同じ名前のペルソナがあります。置き換えられます。</translation>
    </message>
</context>
<context>
    <name>StorageSection</name>
    <message>
        <source>Models and storage</source>
        <translation>モデルと保存先</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>モデル</translation>
    </message>
    <message>
        <source>Folder of models</source>
        <translation>モデルのフォルダ</translation>
    </message>
    <message>
        <source>Downloads go here. Moving copies and checks first; nothing is lost.</source>
        <translation>ダウンロードの保存先です。移動は先にコピーと検証を行うので、何も失われません。</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>削除</translation>
    </message>
    <message>
        <source>Delete prepared models</source>
        <translation>準備済みモデルを削除</translation>
    </message>
    <message>
        <source>Prepared models</source>
        <translation>準備済みモデル</translation>
    </message>
    <message>
        <source>Copies of models, laid out for the processor: they load much faster. What is deleted is made again at the next load.</source>
        <translation>プロセッサ向けに並べ直したモデルのコピーで、読み込みが大幅に速くなります。削除しても次回の読み込み時に作り直されます。</translation>
    </message>
    <message>
        <source>Room for prepared models</source>
        <translation>準備済みモデルの容量上限</translation>
    </message>
    <message>
        <source>When it is full, those that were not used for longest go first.</source>
        <translation>いっぱいになると、最も長く使われていないものから削除されます。</translation>
    </message>
    <message>
        <source>None</source>
        <translation>なし</translation>
    </message>
    <message>
        <source>Add folder…</source>
        <translation>フォルダを追加…</translation>
    </message>
    <message>
        <source>Further folders and files</source>
        <translation>その他のフォルダとファイル</translation>
    </message>
    <message>
        <source>Models there are used where they are, never copied or deleted.</source>
        <translation>そこにあるモデルはその場所のまま使われ、コピーも削除もされません。</translation>
    </message>
    <message>
        <source>Further folder</source>
        <translation>その他のフォルダ</translation>
    </message>
    <message>
        <source>No longer use this folder</source>
        <translation>このフォルダを使わない</translation>
    </message>
    <message>
        <source>Further file</source>
        <translation>その他のファイル</translation>
    </message>
    <message>
        <source>No longer list this file</source>
        <translation>このファイルを一覧から外す</translation>
    </message>
    <message>
        <source>Folder with model files</source>
        <translation>モデルファイルのあるフォルダ</translation>
    </message>
    <message>
        <source>Saved states</source>
        <translation>保存した状態</translation>
    </message>
    <message>
        <source>Folder of states</source>
        <translation>状態のフォルダ</translation>
    </message>
    <message>
        <source>With its state a chat goes on at once, without being read again.</source>
        <translation>状態があれば、読み直さずにチャットをすぐ続けられます。</translation>
    </message>
    <message>
        <source>Room for states</source>
        <translation>状態の容量上限</translation>
    </message>
    <message>
        <source>When it is full, the states that were not used for longest go first.</source>
        <translation>いっぱいになると、最も長く使われていない状態から削除します。</translation>
    </message>
    <message>
        <source>Room that states take</source>
        <translation>状態の使用量</translation>
    </message>
    <message>
        <source>Not measured yet</source>
        <translation>未計測</translation>
    </message>
    <message>
        <source>Free space</source>
        <translation>容量を空ける</translation>
    </message>
    <message>
        <source>Models take {0}</source>
        <translation>モデルの使用量: {0}</translation>
    </message>
    <message>
        <source>{0} of {1} used</source>
        <translation>{0} / {1} を使用</translation>
    </message>
    <message>
        <source>Downloads</source>
        <translation>ダウンロード</translation>
    </message>
    <message>
        <source>Work offline</source>
        <translation>オフラインで使う</translation>
    </message>
    <message>
        <source>Skein then opens no connection at all.</source>
        <translation>オンにすると、Skein は一切通信しません。</translation>
    </message>
    <message>
        <source>Mirror</source>
        <translation>ミラー</translation>
    </message>
    <message>
        <source>Another address for Hugging Face, for example a mirror.</source>
        <translation>Hugging Face の代わりのアドレス。ミラーサイトなど。</translation>
    </message>
    <message>
        <source>Proxy</source>
        <translation>プロキシ</translation>
    </message>
    <message>
        <source>Empty: the proxy of the system, if any.</source>
        <translation>空欄の場合は、システムのプロキシがあれば使います。</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>Access token of Hugging Face</source>
        <translation>Hugging Face のアクセストークン</translation>
    </message>
    <message>
        <source>Access token</source>
        <translation>アクセストークン</translation>
    </message>
    <message>
        <source>Only for models that ask for it. Kept in the keyring of the system.</source>
        <translation>必要なモデルでのみ使います。システムのキーリングに保存されます。</translation>
    </message>
    <message>
        <source>A token is saved</source>
        <translation>トークンは保存済みです</translation>
    </message>
    <message>
        <source>Write an address such as https://host:8080.</source>
        <translation>https://host:8080 のようなアドレスを入力してください。</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>変更…</translation>
    </message>
    <message>
        <source>Change: {0}</source>
        <translation>変更: {0}</translation>
    </message>
    <message>
        <source>Open folder</source>
        <translation>フォルダを開く</translation>
    </message>
</context>
<context>
    <name>StorageService</name>
    <message>
        <source>The folder could not be moved: {0}</source>
        <translation>フォルダを移動できませんでした: {0}</translation>
    </message>
    <message>
        <source>Nothing was lost.</source>
        <translation>失われたものはありません。</translation>
    </message>
</context>
<context>
    <name>ThinkingBlock</name>
    <message>
        <source>Thoughts</source>
        <translation>思考の内容</translation>
    </message>
    <message>
        <source>Thinking… {0} s</source>
        <translation>思考中… {0} 秒</translation>
    </message>
    <message>
        <source>Thought</source>
        <translation>思考済み</translation>
    </message>
    <message>
        <source>Thought for {0} min {1} s</source>
        <translation>{0} 分 {1} 秒間思考</translation>
    </message>
    <message>
        <source>Thought for {0} s</source>
        <translation>{0} 秒間思考</translation>
    </message>
</context>
<context>
    <name>Toast</name>
    <message>
        <source>Message</source>
        <translation>通知</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>元に戻す</translation>
    </message>
    <message>
        <source>Close message</source>
        <translation>通知を閉じる</translation>
    </message>
</context>
<context>
    <name>Transcript</name>
    <message>
        <source>Messages</source>
        <translation>メッセージ</translation>
    </message>
    <message>
        <source>Jump to the end</source>
        <translation>一番下へ移動</translation>
    </message>
    <message>
        <source>Reply stopped</source>
        <translation>返信が停止しました</translation>
    </message>
    <message>
        <source>Reply finished</source>
        <translation>返信が完了しました</translation>
    </message>
</context>
<context>
    <name>Units</name>
    <message>
        <source>about {0} tokens/s</source>
        <translation>約 {0} トークン/秒</translation>
    </message>
    <message>
        <source>{0} s left</source>
        <translation>残り {0} 秒</translation>
    </message>
    <message>
        <source>{0} min left</source>
        <translation>残り {0} 分</translation>
    </message>
    <message>
        <source>{0} h {1} min left</source>
        <translation>残り {0} 時間 {1} 分</translation>
    </message>
    <message>
        <source>d MMM yyyy</source>
        <translation>yyyy年M月d日</translation>
    </message>
</context>
<context>
    <name>UpdateDesk</name>
    <message>
        <source>Skein {0} did not start here, so {1} runs again.</source>
        <translation>Skein {0} はここで起動しなかったため、{1} に戻しました。</translation>
    </message>
    <message>
        <source>Chats, models and states are as they were. It is not offered again.</source>
        <translation>チャット、モデル、状態は元のままです。このバージョンは再び提案されません。</translation>
    </message>
    <message>
        <source>This is Skein {0} now.</source>
        <translation>Skein {0} になりました。</translation>
    </message>
    <message>
        <source>What is new</source>
        <translation>新機能</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>閉じる</translation>
    </message>
    <message>
        <source>Shall Skein look for newer versions by itself?</source>
        <translation>Skein が自動で新しいバージョンを確認してもよいですか？</translation>
    </message>
    <message>
        <source>Settings &gt; About has the switch.</source>
        <translation>「設定 &gt; 情報」で変更できます。</translation>
    </message>
    <message>
        <source>Yes, once a day</source>
        <translation>はい、1 日に 1 回</translation>
    </message>
    <message>
        <source>No</source>
        <translation>いいえ</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>ダウンロード</translation>
    </message>
    <message>
        <source>Later</source>
        <translation>あとで</translation>
    </message>
    <message>
        <source>Skein {0} is there.</source>
        <translation>Skein {0} があります。</translation>
    </message>
    <message>
        <source>It is fetched while you go on, and runs when Skein starts again.</source>
        <translation>使い続けている間に取得し、Skein を再び起動したときに動き始めます。</translation>
    </message>
    <message>
        <source>Fetching Skein…</source>
        <translation>Skein を取得しています…</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>表示</translation>
    </message>
    <message>
        <source>Skein {0} is ready.</source>
        <translation>Skein {0} の準備ができました。</translation>
    </message>
    <message>
        <source>It runs from the next start on. A reply that is being written can go on there.</source>
        <translation>次の起動から動きます。書きかけの返答はそこで続けられます。</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>今すぐ再起動</translation>
    </message>
    <message>
        <source>What is new in Skein {0}</source>
        <translation>Skein {0} の新機能</translation>
    </message>
</context>
<context>
    <name>UpdatePanel</name>
    <message>
        <source>Download of the update</source>
        <translation>更新のダウンロード</translation>
    </message>
    <message>
        <source>Look for newer versions by itself</source>
        <translation>新しいバージョンを自動で確認</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>今すぐ再起動</translation>
    </message>
    <message>
        <source>Look now</source>
        <translation>今すぐ確認</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>一時停止</translation>
    </message>
    <message>
        <source>What is new</source>
        <translation>新機能</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>キャンセル</translation>
    </message>
    <message>
        <source>Nobody has looked for a newer version yet</source>
        <translation>新しいバージョンはまだ確認されていません</translation>
    </message>
    <message>
        <source>Looking for a newer version…</source>
        <translation>新しいバージョンを確認しています…</translation>
    </message>
    <message>
        <source>This is the newest version</source>
        <translation>最新のバージョンです</translation>
    </message>
    <message>
        <source>The look for a newer version did not succeed</source>
        <translation>新しいバージョンを確認できませんでした</translation>
    </message>
    <message>
        <source>{0} is there</source>
        <translation>{0} があります</translation>
    </message>
    <message>
        <source>Fetching {0}</source>
        <translation>{0} を取得しています</translation>
    </message>
    <message>
        <source>{0} is paused</source>
        <translation>{0} は一時停止中です</translation>
    </message>
    <message>
        <source>{0} could not be fetched</source>
        <translation>{0} を取得できませんでした</translation>
    </message>
    <message>
        <source>{0} is ready: it runs from the next start on</source>
        <translation>{0} の準備ができました。次の起動から動きます</translation>
    </message>
    <message>
        <source>{0} is kept, in case the new one does not start</source>
        <translation>新しいものが起動しないときのために {0} を残します</translation>
    </message>
    <message>
        <source>{0} of {1}</source>
        <translation>{0} / {1}</translation>
    </message>
    <message>
        <source>{0} to download</source>
        <translation>ダウンロード {0}</translation>
    </message>
    <message>
        <source>it was tried here and did not start</source>
        <translation>ここで試しましたが、起動しませんでした</translation>
    </message>
    <message>
        <source>Last looked on {0}</source>
        <translation>前回の確認：{0}</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>開始しています…</translation>
    </message>
    <message>
        <source>{0} %</source>
        <translation>{0} %</translation>
    </message>
    <message>
        <source>Checking the files…</source>
        <translation>ファイルを検証しています…</translation>
    </message>
    <message>
        <source>Unpacking…</source>
        <translation>展開しています…</translation>
    </message>
    <message>
        <source>Laying it ready…</source>
        <translation>準備しています…</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>再試行</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>続ける</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>ダウンロード</translation>
    </message>
    <message>
        <source>This is version {0}, in {1}.</source>
        <translation>バージョン {0}、場所は {1} です。</translation>
    </message>
    <message>
        <source>Version {0} is kept, in case this one does not start.</source>
        <translation>このバージョンが起動しないときのために、バージョン {0} を残しています。</translation>
    </message>
</context>
<context>
    <name>Updates</name>
    <message>
        <source>This copy runs from its sources or was installed by pip: update it the same way.</source>
        <translation>これはソースから動いているか、pip でインストールされたものです。同じ方法で更新してください。</translation>
    </message>
    <message>
        <source>This copy was built without an address to look for newer versions: whoever built it updates it.</source>
        <translation>これには新しいバージョンを確認する先が組み込まれていません。作った人が更新します。</translation>
    </message>
    <message>
        <source>This copy was installed as a package: the system&apos;s package manager updates it. Skein changes nothing there and looks for nothing.</source>
        <translation>これはパッケージとしてインストールされたもので、システムのパッケージマネージャーが更新します。Skein は何も変更せず、確認もしません。</translation>
    </message>
    <message>
        <source>A newer version is installed by dragging it into Applications.</source>
        <translation>新しいバージョンは「アプリケーション」にドラッグしてインストールします。</translation>
    </message>
    <message>
        <source>This copy is one AppImage file: a newer version is a newer file.</source>
        <translation>これは 1 つの AppImage ファイルです。新しいバージョンは新しいファイルです。</translation>
    </message>
    <message>
        <source>This copy was built on this computer: nothing updates it.</source>
        <translation>これはこのコンピューターで作られたもので、更新されることはありません。</translation>
    </message>
    <message>
        <source>The folder {0} may not be written to by this user: whoever installed Skein there updates it.</source>
        <translation>フォルダー {0} にこのユーザーは書き込めません。そこに Skein をインストールした人が更新します。</translation>
    </message>
    <message>
        <source>Once a day Skein then asks {0} for one small signed file; nothing about you or this computer is sent, not even which version runs.</source>
        <translation>Skein は 1 日に 1 回、署名された小さなファイルを {0} に求めます。あなたやこのコンピューターについては、動いているバージョンさえも送りません。</translation>
    </message>
</context>
<context>
    <name>VariantChooser</name>
    <message>
        <source>{0}   (1 of {1})</source>
        <translation>{0}   (全 {1} 件)</translation>
    </message>
    <message>
        <source>File of {0}: {1}, one of {2}</source>
        <translation>{0} のファイル: {1}（全 {2} 件）</translation>
    </message>
    <message>
        <source>Files of {0}</source>
        <translation>{0} のファイル</translation>
    </message>
    <message>
        <source>release {0}</source>
        <translation>リリース {0}</translation>
    </message>
    <message>
        <source>Others</source>
        <translation>その他</translation>
    </message>
    <message>
        <source>on this computer</source>
        <translation>このコンピュータにあります</translation>
    </message>
    <message>
        <source>cannot be run</source>
        <translation>実行できません</translation>
    </message>
    <message>
        <source>suits this computer</source>
        <translation>このコンピュータ向け</translation>
    </message>
</context>
<context>
    <name>Welcome</name>
    <message>
        <source>What would you like to know?</source>
        <translation>何でも聞いてください</translation>
    </message>
    <message>
        <source>Welcome to Skein</source>
        <translation>Skein へようこそ</translation>
    </message>
    <message>
        <source>Everything stays on this computer. A chat can be as long as you like.</source>
        <translation>すべてこのコンピュータの中に残ります。チャットの長さに限りはありません。</translation>
    </message>
    <message>
        <source>Gosling is a small model that came with Skein and speaks English. Ask how Skein works, say your name, or have it tell a story.</source>
        <translation>Gosling は Skein 付属の、英語だけの小さなモデルです。使い方を聞く、名前を教える、お話を頼む、などができます。</translation>
    </message>
    <message>
        <source>First, a model</source>
        <translation>まずはモデルから</translation>
    </message>
    <message>
        <source>No model is loaded yet</source>
        <translation>モデルがまだ読み込まれていません</translation>
    </message>
    <message>
        <source>Choose one that is on this computer, or download one.</source>
        <translation>このコンピュータにあるモデルを選ぶか、ダウンロードしてください。</translation>
    </message>
    <message>
        <source>All models</source>
        <translation>すべてのモデル</translation>
    </message>
    <message>
        <source>Examples</source>
        <translation>例</translation>
    </message>
</context>
<context>
    <name>_RowPainter</name>
    <message>
        <source>In use</source>
        <translation>使用中</translation>
    </message>
    <message>
        <source>Loading…</source>
        <translation>読み込み中…</translation>
    </message>
    <message>
        <source>fits</source>
        <translation>動作可能</translation>
    </message>
    <message>
        <source>tight</source>
        <translation>ぎりぎり</translation>
    </message>
    <message>
        <source>too large</source>
        <translation>大きすぎます</translation>
    </message>
</context>
</TS>
