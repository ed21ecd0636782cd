<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN" sourcelanguage="en">
<context>
    <name>AboutSection</name>
    <message>
        <source>About</source>
        <translation>关于</translation>
    </message>
    <message>
        <source>Version {0}</source>
        <translation>版本 {0}</translation>
    </message>
    <message>
        <source>RWKV-7 on your desktop. Apache-2.0.</source>
        <translation>桌面上的 RWKV-7。Apache-2.0。</translation>
    </message>
    <message>
        <source>What is new</source>
        <translation>新内容</translation>
    </message>
    <message>
        <source>Updates</source>
        <translation>更新</translation>
    </message>
    <message>
        <source>When something goes wrong</source>
        <translation>遇到问题时</translation>
    </message>
    <message>
        <source>Open logs</source>
        <translation>打开日志</translation>
    </message>
    <message>
        <source>Logs</source>
        <translation>日志</translation>
    </message>
    <message>
        <source>They hold no chat and no token.</source>
        <translation>日志不含对话内容和访问令牌。</translation>
    </message>
    <message>
        <source>Show report</source>
        <translation>查看报告</translation>
    </message>
    <message>
        <source>Last crash report</source>
        <translation>最近的崩溃报告</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Versions</source>
        <translation>版本信息</translation>
    </message>
    <message>
        <source>For a question or a bug report.</source>
        <translation>提问或反馈问题时使用。</translation>
    </message>
    <message>
        <source>Made with</source>
        <translation>使用的开源组件</translation>
    </message>
</context>
<context>
    <name>AddPanel</name>
    <message>
        <source>Repository or file on Hugging Face</source>
        <translation>Hugging Face 上的仓库或文件</translation>
    </message>
    <message>
        <source>Look up</source>
        <translation>查找</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Owner and name, a file in it, or the address of its page.</source>
        <translation>可填写“所有者/名称”、仓库中的文件或网页地址。</translation>
    </message>
    <message>
        <source>Looking it up…</source>
        <translation>正在查找…</translation>
    </message>
</context>
<context>
    <name>Attachments</name>
    <message>
        <source>{0} is larger than {1} MB.</source>
        <translation>{0} 超过 {1} MB。</translation>
    </message>
    <message>
        <source>{0} could not be read: {1}.</source>
        <translation>无法读取 {0}：{1}。</translation>
    </message>
    <message>
        <source>{0} is not a text file.</source>
        <translation>{0} 不是文本文件。</translation>
    </message>
</context>
<context>
    <name>BuiltIn</name>
    <message>
        <source>{0}, the built-in model</source>
        <translation>内置模型 {0}</translation>
    </message>
    <message>
        <source>small, offline, knows this app</source>
        <translation>小巧，离线可用，熟悉本应用</translation>
    </message>
    <message>
        <source>Comes with Skein</source>
        <translation>随 Skein 附带</translation>
    </message>
</context>
<context>
    <name>ChatDelegate</name>
    <message>
        <source>New title</source>
        <translation>新标题</translation>
    </message>
</context>
<context>
    <name>ChatDesk</name>
    <message>
        <source>The next message begins a new branch</source>
        <translation>下一条消息将开始新的分支</translation>
    </message>
    <message>
        <source>Go back</source>
        <translation>返回</translation>
    </message>
    <message>
        <source>Deleted</source>
        <translation>已删除</translation>
    </message>
</context>
<context>
    <name>ChatList</name>
    <message>
        <source>Chats</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Rename</source>
        <translation>重命名</translation>
    </message>
    <message>
        <source>Unpin</source>
        <translation>取消置顶</translation>
    </message>
    <message>
        <source>Pin</source>
        <translation>置顶</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
</context>
<context>
    <name>ChatPage</name>
    <message>
        <source>Parameters</source>
        <translation>参数</translation>
    </message>
    <message>
        <source>Copied</source>
        <translation>已复制</translation>
    </message>
    <message>
        <source>loading {0} %</source>
        <translation>正在加载 {0}%</translation>
    </message>
    <message>
        <source>Choose a model</source>
        <translation>选择模型</translation>
    </message>
    <message>
        <source>Load as {0}</source>
        <translation>以 {0} 加载</translation>
    </message>
    <message>
        <source>Choose another model</source>
        <translation>选择其他模型</translation>
    </message>
    <message>
        <source>Recommended for this computer</source>
        <translation>为本机推荐</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>See the download</source>
        <translation>查看下载</translation>
    </message>
    <message>
        <source>Ready on this computer</source>
        <translation>本机已就绪</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>加载</translation>
    </message>
</context>
<context>
    <name>CommandPalette</name>
    <message>
        <source>Search chats and commands</source>
        <translation>搜索对话和命令</translation>
    </message>
    <message>
        <source>Nothing found</source>
        <translation>未找到结果</translation>
    </message>
    <message>
        <source>Results</source>
        <translation>结果</translation>
    </message>
</context>
<context>
    <name>Composer</name>
    <message>
        <source>Message</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>Write a message</source>
        <translation>输入消息</translation>
    </message>
    <message>
        <source>Thinking</source>
        <translation>思考</translation>
    </message>
    <message>
        <source>How long the model thinks before it answers</source>
        <translation>模型回答前思考多久</translation>
    </message>
    <message>
        <source>Insert a text file</source>
        <translation>插入文本文件</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>发送</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>No thinking</source>
        <translation>不思考</translation>
    </message>
    <message>
        <source>Fast</source>
        <translation>快速思考</translation>
    </message>
    <message>
        <source>Think</source>
        <translation>思考</translation>
    </message>
    <message>
        <source>Think a lot</source>
        <translation>深度思考</translation>
    </message>
    <message>
        <source>{0} tokens</source>
        <translation>{0} token</translation>
    </message>
    <message>
        <source>{0} characters</source>
        <translation>{0} 个字符</translation>
    </message>
    <message>
        <source>Insert text files</source>
        <translation>插入文本文件</translation>
    </message>
</context>
<context>
    <name>ConversationModel</name>
    <message>
        <source>Pinned</source>
        <translation>已置顶</translation>
    </message>
    <message>
        <source>Today</source>
        <translation>今天</translation>
    </message>
    <message>
        <source>Yesterday</source>
        <translation>昨天</translation>
    </message>
    <message>
        <source>Previous 7 days</source>
        <translation>过去 7 天</translation>
    </message>
    <message>
        <source>Older</source>
        <translation>更早</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>pinned</source>
        <translation>已置顶</translation>
    </message>
    <message>
        <source>open</source>
        <translation>已打开</translation>
    </message>
    <message>
        <source>writing</source>
        <translation>正在生成</translation>
    </message>
</context>
<context>
    <name>CrashReport</name>
    <message>
        <source>Crash report</source>
        <translation>崩溃报告</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>It stays on this computer. Copy it into a bug report if you like.</source>
        <translation>报告只保存在本机。如愿意，可复制到问题反馈中。</translation>
    </message>
    <message>
        <source>There is no report: nothing went wrong.</source>
        <translation>没有报告：一切正常。</translation>
    </message>
</context>
<context>
    <name>DownloadBar</name>
    <message>
        <source>Download of {0}</source>
        <translation>{0} 的下载进度</translation>
    </message>
    <message>
        <source>Pause download of {0}</source>
        <translation>暂停下载 {0}</translation>
    </message>
    <message>
        <source>Resume download of {0}</source>
        <translation>继续下载 {0}</translation>
    </message>
    <message>
        <source>Cancel download of {0}</source>
        <translation>取消下载 {0}</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Try again: {0}</source>
        <translation>重试：{0}</translation>
    </message>
    <message>
        <source>Free space</source>
        <translation>释放空间</translation>
    </message>
    <message>
        <source>Free space on the disk</source>
        <translation>释放磁盘空间</translation>
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
        <translation>等待其他下载完成</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已中断</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>正在开始…</translation>
    </message>
    <message>
        <source>Checking the file…</source>
        <translation>正在校验文件…</translation>
    </message>
</context>
<context>
    <name>DownloadControls</name>
    <message>
        <source>Download</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>Download {0}</source>
        <translation>下载 {0}</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>加载</translation>
    </message>
    <message>
        <source>Load {0}</source>
        <translation>加载 {0}</translation>
    </message>
    <message>
        <source>Loaded</source>
        <translation>已加载</translation>
    </message>
</context>
<context>
    <name>DownloadDesk</name>
    <message>
        <source>Downloaded {0}</source>
        <translation>已下载 {0}</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>加载</translation>
    </message>
</context>
<context>
    <name>DropArea</name>
    <message>
        <source>Drop it to open it</source>
        <translation>松开即可打开</translation>
    </message>
    <message>
        <source>A model in any format, a folder, a LoRA, a state, or a page of the hub</source>
        <translation>任何格式的模型、文件夹、LoRA、状态，或模型库的网页</translation>
    </message>
</context>
<context>
    <name>ErrorLine</name>
    <message>
        <source>Retry</source>
        <translation>重试</translation>
    </message>
</context>
<context>
    <name>FileRow</name>
    <message>
        <source>too large for this computer</source>
        <translation>对本机过大</translation>
    </message>
</context>
<context>
    <name>FilterChips</name>
    <message>
        <source>Filter</source>
        <translation>筛选</translation>
    </message>
    <message>
        <source>All sizes</source>
        <translation>所有大小</translation>
    </message>
    <message>
        <source>Fits this computer</source>
        <translation>本机可运行</translation>
    </message>
    <message>
        <source>All formats</source>
        <translation>所有格式</translation>
    </message>
    <message>
        <source>Folder</source>
        <translation>文件夹</translation>
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
        <translation>{0} 位</translation>
    </message>
    <message>
        <source>{0}, an older generation</source>
        <translation>{0}，较早的一代</translation>
    </message>
    <message>
        <source>Nothing of it was rounded after training.</source>
        <translation>训练之后没有做过任何取舍。</translation>
    </message>
    <message>
        <source>The smaller download: this computer computes in 8 bits in any case.</source>
        <translation>下载更小：这台电脑反正以 8 位计算。</translation>
    </message>
    <message>
        <source>There is no file of this release with more bits.</source>
        <translation>这个版本没有位数更多的文件。</translation>
    </message>
    <message>
        <source>Hugging Face folder</source>
        <translation>Hugging Face 文件夹</translation>
    </message>
</context>
<context>
    <name>GeneralSection</name>
    <message>
        <source>General</source>
        <translation>常规</translation>
    </message>
    <message>
        <source>Look</source>
        <translation>外观</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>语言</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Takes effect when Skein is started again.</source>
        <translation>重新启动 Skein 后生效。</translation>
    </message>
    <message>
        <source>Theme</source>
        <translation>主题</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Text size</source>
        <translation>文字大小</translation>
    </message>
    <message>
        <source>Also Ctrl+Plus and Ctrl+Minus.</source>
        <translation>也可使用 Ctrl++ 和 Ctrl+-。</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Send with</source>
        <translation>发送按键</translation>
    </message>
    <message>
        <source>Enter (Shift+Enter breaks the line)</source>
        <translation>Enter（Shift+Enter 换行）</translation>
    </message>
    <message>
        <source>Ctrl+Enter (Enter breaks the line)</source>
        <translation>Ctrl+Enter（Enter 换行）</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>启动</translation>
    </message>
    <message>
        <source>Load the last model</source>
        <translation>加载上次的模型</translation>
    </message>
    <message>
        <source>When Skein starts, the model of last time is made ready.</source>
        <translation>Skein 启动时，自动加载上次使用的模型。</translation>
    </message>
</context>
<context>
    <name>GpuPackDesk</name>
    <message>
        <source>{0} could do the work</source>
        <translation>可以用 {0} 来计算</translation>
    </message>
    <message>
        <source>With the GPU pack models run on the card, mostly many times as fast. It is a download of {0}.</source>
        <translation>安装 GPU 包后，模型在显卡上运行，通常快许多倍。下载大小为 {0}。</translation>
    </message>
    <message>
        <source>Look at it</source>
        <translation>查看</translation>
    </message>
    <message>
        <source>Not now</source>
        <translation>暂不</translation>
    </message>
    <message>
        <source>The GPU pack is not used</source>
        <translation>GPU 包未启用</translation>
    </message>
    <message>
        <source>It is damaged, or made for another version than this Skein. The processor does the work until it is fetched again.</source>
        <translation>它已损坏，或适用于其他版本的 Skein。重新获取之前由处理器计算。</translation>
    </message>
    <message>
        <source>The GPU pack is ready</source>
        <translation>GPU 包已就绪</translation>
    </message>
    <message>
        <source>It is used from the next start on. Chats are saved, whenever that is.</source>
        <translation>下次启动起生效。对话始终会保存，何时重启都可以。</translation>
    </message>
    <message>
        <source>The GPU pack was removed</source>
        <translation>GPU 包已移除</translation>
    </message>
    <message>
        <source>It is in use until Skein ends. Its files go at the next start.</source>
        <translation>在 Skein 退出之前仍在使用，其文件会在下次启动时删除。</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>立即重启</translation>
    </message>
    <message>
        <source>Later</source>
        <translation>稍后</translation>
    </message>
</context>
<context>
    <name>GpuPackPanel</name>
    <message>
        <source>GPU pack</source>
        <translation>GPU 包</translation>
    </message>
    <message>
        <source>Get GPU pack</source>
        <translation>获取 GPU 包</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>立即重启</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Repair</source>
        <translation>修复</translation>
    </message>
    <message>
        <source>Remove…</source>
        <translation>移除…</translation>
    </message>
    <message>
        <source>Package index</source>
        <translation>软件包索引</translation>
    </message>
    <message>
        <source>Where PyTorch&apos;s packages come from, for example a mirror. Empty: the address that Skein knows. Every file is checked, wherever it comes from.</source>
        <translation>PyTorch 软件包的来源，例如镜像站。留空则使用 Skein 已知的地址。无论来自何处，每个文件都会校验。</translation>
    </message>
    <message>
        <source>Write an address such as https://host/simple.</source>
        <translation>请填写类似 https://host/simple 的地址。</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Skein can be used meanwhile. The pack counts from the next start on.</source>
        <translation>期间可以继续使用 Skein。GPU 包在下次启动后生效。</translation>
    </message>
    <message>
        <source>Stopping…</source>
        <translation>正在停止…</translation>
    </message>
    <message>
        <source>Removing…</source>
        <translation>正在移除…</translation>
    </message>
    <message>
        <source>It is in use until Skein ends. Its files go at the next start.</source>
        <translation>在 Skein 退出之前仍在使用，其文件会在下次启动时删除。</translation>
    </message>
    <message>
        <source>The GPU pack was removed</source>
        <translation>GPU 包已移除</translation>
    </message>
    <message>
        <source>Repairing the GPU pack…</source>
        <translation>正在修复 GPU 包…</translation>
    </message>
    <message>
        <source>Getting the GPU pack…</source>
        <translation>正在获取 GPU 包…</translation>
    </message>
    <message>
        <source>It is damaged, or made for another version than this Skein. The processor does the work until it is fetched again.</source>
        <translation>它已损坏，或适用于其他版本的 Skein。重新获取之前由处理器计算。</translation>
    </message>
    <message>
        <source>The GPU pack is not used</source>
        <translation>GPU 包未启用</translation>
    </message>
    <message>
        <source>PyTorch {0} for NVIDIA cards ({1}).</source>
        <translation>适用于 NVIDIA 显卡的 PyTorch {0}（{1}）。</translation>
    </message>
    <message>
        <source>The GPU pack is in use</source>
        <translation>正在使用 GPU 包</translation>
    </message>
    <message>
        <source>It was tried out on this card. It is used from the next start on.</source>
        <translation>已在这块显卡上试运行成功，下次启动起生效。</translation>
    </message>
    <message>
        <source>The GPU pack is ready</source>
        <translation>GPU 包已就绪</translation>
    </message>
    <message>
        <source>{0} of {1} of the GPU pack are here</source>
        <translation>GPU 包已下载 {0} / {1}</translation>
    </message>
    <message>
        <source>The GPU pack is PyTorch for NVIDIA cards. With it models run on the card, which is mostly many times as fast. Without it the processor goes on doing the work.</source>
        <translation>GPU 包是适用于 NVIDIA 显卡的 PyTorch。安装后模型在显卡上运行，通常快许多倍。不安装则仍由处理器计算。</translation>
    </message>
    <message>
        <source>{0} could do the work</source>
        <translation>可以用 {0} 来计算</translation>
    </message>
    <message>
        <source>It needs {0} of the disk; {1} are free.</source>
        <translation>需要 {0} 磁盘空间，可用 {1}。</translation>
    </message>
    <message>
        <source>Free some space, then look again.</source>
        <translation>请先释放一些空间，然后重新检测。</translation>
    </message>
    <message>
        <source>{0} to download: about {1} min at 100 Mbit/s.</source>
        <translation>需下载 {0}，以 100 Mbit/s 计约 {1} 分钟。</translation>
    </message>
    <message>
        <source>It takes {0} of the disk.</source>
        <translation>占用磁盘 {0}。</translation>
    </message>
    <message>
        <source>Checking</source>
        <translation>正在校验</translation>
    </message>
    <message>
        <source>Unpacking</source>
        <translation>正在解包</translation>
    </message>
    <message>
        <source>Trying it out on the card</source>
        <translation>正在显卡上试运行</translation>
    </message>
    <message>
        <source>Almost done</source>
        <translation>即将完成</translation>
    </message>
    <message>
        <source>Looking for the files</source>
        <translation>正在查找文件</translation>
    </message>
    <message>
        <source>{0} of {1}</source>
        <translation>{0} / {1}</translation>
    </message>
    <message>
        <source>Remove GPU pack</source>
        <translation>移除 GPU 包</translation>
    </message>
    <message>
        <source>Remove the GPU pack and free {0}?</source>
        <translation>要移除 GPU 包并释放 {0} 吗？</translation>
    </message>
    <message>
        <source>The processor does the work then. The pack can be downloaded again.</source>
        <translation>之后由处理器计算。GPU 包可以再次下载。</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>The NVIDIA driver {0} is too old for every GPU pack. Install a newer driver, then look again.</source>
        <translation>NVIDIA 驱动 {0} 过旧，没有可用的 GPU 包。请安装更新的驱动，然后重新检测。</translation>
    </message>
    <message>
        <source>This card is too old for PyTorch: the processor does the work.</source>
        <translation>这块显卡过旧，PyTorch 不支持，由处理器计算。</translation>
    </message>
    <message>
        <source>This card is newer than the packs that Skein knows. Update Skein.</source>
        <translation>这块显卡比 Skein 已知的 GPU 包更新。请更新 Skein。</translation>
    </message>
    <message>
        <source>A GPU pack suits this card, but this version of Skein does not list its files yet. Update Skein.</source>
        <translation>有适合这块显卡的 GPU 包，但此版本的 Skein 尚未收录其文件。请更新 Skein。</translation>
    </message>
    <message>
        <source>The GPU packs that Skein knows are for another version of PyTorch. Update Skein.</source>
        <translation>Skein 已知的 GPU 包适用于其他版本的 PyTorch。请更新 Skein。</translation>
    </message>
    <message>
        <source>There is no PyTorch for NVIDIA cards on this system.</source>
        <translation>此系统没有适用于 NVIDIA 显卡的 PyTorch。</translation>
    </message>
    <message>
        <source>There is no NVIDIA card in this computer.</source>
        <translation>本机没有 NVIDIA 显卡。</translation>
    </message>
</context>
<context>
    <name>InferenceSection</name>
    <message>
        <source>Inference</source>
        <translation>推理</translation>
    </message>
    <message>
        <source>How models run</source>
        <translation>模型运行方式</translation>
    </message>
    <message>
        <source>No model is loaded</source>
        <translation>未加载模型</translation>
    </message>
    <message>
        <source>The strategy is chosen when a model is loaded.</source>
        <translation>加载模型时选定策略。</translation>
    </message>
    <message>
        <source>Strategy</source>
        <translation>策略</translation>
    </message>
    <message>
        <source>auto lets Skein choose. Or write one, for example “cuda fp16”, “cpu int8” or “cuda fp16 *20 -&gt; cpu fp32”. It counts from the next load on.</source>
        <translation>auto 表示由 Skein 选择。也可自行填写，例如“cuda fp16”、“cpu int8”或“cuda fp16 *20 -&gt; cpu fp32”。下次加载时生效。</translation>
    </message>
    <message>
        <source>Save power</source>
        <translation>节省电量</translation>
    </message>
    <message>
        <source>The processor computes with half of its cores at most: cooler, quieter and easier on the battery, but often slower.</source>
        <translation>处理器最多使用一半核心进行计算：更凉、更安静、更省电，但通常更慢。</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>应用</translation>
    </message>
    <message>
        <source>Auto</source>
        <translation>自动</translation>
    </message>
    <message>
        <source>This computer</source>
        <translation>本机</translation>
    </message>
    <message>
        <source>What was detected</source>
        <translation>检测结果</translation>
    </message>
    <message>
        <source>Looking at this computer…</source>
        <translation>正在检测本机…</translation>
    </message>
    <message>
        <source>Look again</source>
        <translation>重新检测</translation>
    </message>
    <message>
        <source>Reads {0}, writes {1}</source>
        <translation>读取{0}，生成{1}</translation>
    </message>
    <message>
        <source>{0}, {1} free</source>
        <translation>{0}，可用 {1}</translation>
    </message>
    <message>
        <source>System</source>
        <translation>系统</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>处理器</translation>
    </message>
    <message>
        <source>Cores</source>
        <translation>核心</translation>
    </message>
    <message>
        <source>{0} cores, {1} threads</source>
        <translation>{0} 核心，{1} 线程</translation>
    </message>
    <message>
        <source>Instructions</source>
        <translation>指令集</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>Memory speed</source>
        <translation>内存速度</translation>
    </message>
    <message>
        <source>Not measured yet</source>
        <translation>尚未测量</translation>
    </message>
    <message>
        <source>Graphics</source>
        <translation>显卡</translation>
    </message>
    <message>
        <source>No card that can compute was found</source>
        <translation>未找到可用于计算的显卡</translation>
    </message>
    <message>
        <source>PyTorch</source>
        <translation>PyTorch</translation>
    </message>
    <message>
        <source>Not found</source>
        <translation>未找到</translation>
    </message>
    <message>
        <source>{0}, {1}, {2} free</source>
        <translation>{0}，{1}，可用 {2}</translation>
    </message>
    <message>
        <source>, driver {0}</source>
        <translation>，驱动 {0}</translation>
    </message>
    <message>
        <source>{0}. Not usable: {1}</source>
        <translation>{0}。不可用：{1}</translation>
    </message>
</context>
<context>
    <name>KeysList</name>
    <message>
        <source>Keys</source>
        <translation>快捷键</translation>
    </message>
</context>
<context>
    <name>KeysOverlay</name>
    <message>
        <source>Keys</source>
        <translation>快捷键</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
</context>
<context>
    <name>KeysSection</name>
    <message>
        <source>Keys</source>
        <translation>快捷键</translation>
    </message>
</context>
<context>
    <name>LoraDesk</name>
    <message>
        <source>{0} is a LoRA, and no model on this computer is the one that it changes.</source>
        <translation>{0} 是 LoRA，而这台电脑上没有它所修改的模型。</translation>
    </message>
    <message>
        <source>Download or open the model that it was trained on, then drop it again.</source>
        <translation>请下载或打开它训练时所用的模型，然后再拖进来。</translation>
    </message>
    <message>
        <source>{0}: rank {1}, changes {2} matrices.</source>
        <translation>{0}：秩 {1}，修改 {2} 个矩阵。</translation>
    </message>
</context>
<context>
    <name>LoraDialog</name>
    <message>
        <source>LoRAs of a model</source>
        <translation>模型的 LoRA</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Add LoRA…</source>
        <translation>添加 LoRA…</translation>
    </message>
    <message>
        <source>Apply and load</source>
        <translation>应用并加载</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>应用</translation>
    </message>
    <message>
        <source>Add LoRA files</source>
        <translation>添加 LoRA 文件</translation>
    </message>
    <message>
        <source>LoRAs (*.pth *.safetensors *.st)</source>
        <translation>LoRA (*.pth *.safetensors *.st)</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>所有文件 (*)</translation>
    </message>
    <message>
        <source>LoRAs</source>
        <translation>LoRA</translation>
    </message>
    <message>
        <source>They change the weights while the model is loaded, in this order. 1 is as trained, 0 switches one off, 2 doubles it. Skein remembers them for this model.</source>
        <translation>加载模型时按此顺序修改权重。1 为训练时的强度，0 为关闭，2 为加倍。Skein 会为这个模型记住它们。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
</context>
<context>
    <name>LoraRow</name>
    <message>
        <source>Strength of {0}</source>
        <translation>{0} 的强度</translation>
    </message>
    <message>
        <source>Apply {0} earlier</source>
        <translation>更早应用 {0}</translation>
    </message>
    <message>
        <source>Apply {0} later</source>
        <translation>更晚应用 {0}</translation>
    </message>
    <message>
        <source>Take {0} away</source>
        <translation>移除 {0}</translation>
    </message>
</context>
<context>
    <name>LoraRows</name>
    <message>
        <source>None yet.</source>
        <translation>还没有。</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Skein&apos;s engine for processors is missing here; PyTorch computes instead.</source>
        <translation>此处缺少 Skein 的处理器引擎，改由 PyTorch 计算。</translation>
    </message>
    <message>
        <source>All works, but slower. Install a C++ compiler, then install Skein again.</source>
        <translation>一切功能可用，只是较慢。请安装 C++ 编译器，然后重新安装 Skein。</translation>
    </message>
    <message>
        <source>Skein did not end well last time.</source>
        <translation>Skein 上次未正常退出。</translation>
    </message>
    <message>
        <source>Chats are saved while they are written. The report says what happened.</source>
        <translation>对话会边生成边保存。报告中说明了发生的情况。</translation>
    </message>
    <message>
        <source>Show report</source>
        <translation>查看报告</translation>
    </message>
    <message>
        <source>Deleted “{0}”</source>
        <translation>已删除“{0}”</translation>
    </message>
    <message>
        <source>Something unexpected went wrong.</source>
        <translation>发生了意外错误。</translation>
    </message>
    <message>
        <source>You can go on. If Skein behaves strangely, start it again.</source>
        <translation>可以继续使用。如有异常，请重新启动 Skein。</translation>
    </message>
</context>
<context>
    <name>MessageBar</name>
    <message>
        <source>Previous version</source>
        <translation>上一个版本</translation>
    </message>
    <message>
        <source>Next version</source>
        <translation>下一个版本</translation>
    </message>
    <message>
        <source>Version {0} of {1}</source>
        <translation>第 {0} 个版本，共 {1} 个</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Branch from here</source>
        <translation>从此处分支</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>More actions</source>
        <translation>更多操作</translation>
    </message>
    <message>
        <source>Answer</source>
        <translation>回答</translation>
    </message>
    <message>
        <source>Regenerate</source>
        <translation>重新生成</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>编辑</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>继续生成</translation>
    </message>
</context>
<context>
    <name>MessageBrowser</name>
    <message>
        <source>Copy code</source>
        <translation>复制代码</translation>
    </message>
    <message>
        <source>code</source>
        <translation>代码</translation>
    </message>
</context>
<context>
    <name>MessageView</name>
    <message>
        <source>You</source>
        <translation>你</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Actions for the message of {0}</source>
        <translation>{0}的消息操作</translation>
    </message>
    <message>
        <source>Show all {0} characters</source>
        <translation>显示全部 {0} 个字符</translation>
    </message>
    <message>
        <source>Another chat is being answered first…</source>
        <translation>正在先回答另一个对话…</translation>
    </message>
    <message>
        <source>Reading {0} of {1} tokens…</source>
        <translation>正在读取 {0} / {1} token…</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>正在准备…</translation>
    </message>
    <message>
        <source>Message</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>Copy selection</source>
        <translation>复制所选内容</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Copy as Markdown</source>
        <translation>复制为 Markdown</translation>
    </message>
    <message>
        <source>Save as persona…</source>
        <translation>保存为角色…</translation>
    </message>
    <message>
        <source>Export state…</source>
        <translation>导出状态…</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>编辑</translation>
    </message>
    <message>
        <source>Regenerate</source>
        <translation>重新生成</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>继续生成</translation>
    </message>
    <message>
        <source>Branch from here</source>
        <translation>从此处分支</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
</context>
<context>
    <name>ModelButton</name>
    <message>
        <source>Choose a model</source>
        <translation>选择模型</translation>
    </message>
    <message>
        <source>Model: {0}</source>
        <translation>模型：{0}</translation>
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
        <translation>推荐</translation>
    </message>
    <message>
        <source>On this computer</source>
        <translation>已下载</translation>
    </message>
    <message>
        <source>{0} parameters</source>
        <translation>{0} 参数</translation>
    </message>
    <message>
        <source>release {0}</source>
        <translation>版本 {0}</translation>
    </message>
</context>
<context>
    <name>ModelDesk</name>
    <message>
        <source>Models of {0} are listed now: {1}</source>
        <translation>现在列出了 {0} 中的模型：{1} 个</translation>
    </message>
    <message>
        <source>Holds from the next load on</source>
        <translation>下次加载时生效</translation>
    </message>
    <message>
        <source>Load again</source>
        <translation>重新加载</translation>
    </message>
</context>
<context>
    <name>ModelPicker</name>
    <message>
        <source>Models on this computer</source>
        <translation>本机上的模型</translation>
    </message>
    <message>
        <source>No model is on this computer yet.</source>
        <translation>本机上还没有模型。</translation>
    </message>
    <message>
        <source>Eject</source>
        <translation>卸载</translation>
    </message>
    <message>
        <source>All models</source>
        <translation>所有模型</translation>
    </message>
</context>
<context>
    <name>ModelsPage</name>
    <message>
        <source>Open a model file</source>
        <translation>打开模型文件</translation>
    </message>
    <message>
        <source>Models, LoRAs and states ({0})</source>
        <translation>模型、LoRA 和状态 ({0})</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>所有文件 (*)</translation>
    </message>
    <message>
        <source>Delete model</source>
        <translation>删除模型</translation>
    </message>
    <message>
        <source>Delete {0} from this computer?</source>
        <translation>要从本机删除 {0} 吗？</translation>
    </message>
    <message>
        <source>{0}
{1}. This cannot be undone; chats and their states stay.</source>
        <translation>{0}
{1}。删除后无法恢复；对话及其状态会保留。</translation>
    </message>
    <message>
        <source>Delete file</source>
        <translation>删除文件</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Refresh the lists</source>
        <translation>刷新列表</translation>
    </message>
    <message>
        <source>Add from address</source>
        <translation>从地址添加</translation>
    </message>
    <message>
        <source>Open file…</source>
        <translation>打开文件…</translation>
    </message>
    <message>
        <source>Which models</source>
        <translation>模型范围</translation>
    </message>
    <message>
        <source>Search models</source>
        <translation>搜索模型</translation>
    </message>
    <message>
        <source>List of models</source>
        <translation>模型列表</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Found {0}: see the list below.</source>
        <translation>找到 {0} 个，见下方列表。</translation>
    </message>
    <message>
        <source>Deleted {0}</source>
        <translation>已删除 {0}</translation>
    </message>
    <message>
        <source>Download of {0} is complete</source>
        <translation>{0} 已下载完成</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>已就绪</translation>
    </message>
    <message>
        <source>Available</source>
        <translation>可下载</translation>
    </message>
    <message>
        <source>No model matches</source>
        <translation>没有符合条件的模型</translation>
    </message>
    <message>
        <source>Try fewer words, or show all sizes and formats.</source>
        <translation>请减少关键词，或显示所有大小和格式。</translation>
    </message>
    <message>
        <source>Show all</source>
        <translation>全部显示</translation>
    </message>
    <message>
        <source>Looking for models…</source>
        <translation>正在查找模型…</translation>
    </message>
    <message>
        <source>No models on this computer yet</source>
        <translation>本机上还没有模型</translation>
    </message>
    <message>
        <source>Download one that fits, open a file, or drop one here.</source>
        <translation>可下载合适的模型、打开文件，或将文件拖到此处。</translation>
    </message>
    <message>
        <source>See what fits</source>
        <translation>查看可运行的模型</translation>
    </message>
    <message>
        <source>Asking the hub what there is…</source>
        <translation>正在获取模型列表…</translation>
    </message>
    <message>
        <source>The list of models is empty</source>
        <translation>模型列表为空</translation>
    </message>
    <message>
        <source>It is read from the hub: connect to the network, then refresh.</source>
        <translation>列表来自模型站：请联网后刷新。</translation>
    </message>
    <message>
        <source>Refresh</source>
        <translation>刷新</translation>
    </message>
    <message>
        <source>Looking at this computer…</source>
        <translation>正在检测本机…</translation>
    </message>
    <message>
        <source>{0} of memory, {1} free</source>
        <translation>内存 {0}，可用 {1}</translation>
    </message>
    <message>
        <source>{0}, {1} free</source>
        <translation>{0}，可用 {1}</translation>
    </message>
    <message>
        <source>d MMM yyyy, HH:mm</source>
        <translation>yyyy年M月d日 HH:mm</translation>
    </message>
    <message>
        <source>Showing the list as it was on {0}.</source>
        <translation>显示的是 {0} 的列表。</translation>
    </message>
    <message>
        <source>Showing the list as it was on {0} (a day ago).</source>
        <translation>显示的是 {0}（1 天前）的列表。</translation>
    </message>
    <message>
        <source>Showing the list as it was on {0} ({1} days ago).</source>
        <translation>显示的是 {0}（{1} 天前）的列表。</translation>
    </message>
</context>
<context>
    <name>NotesPanel</name>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
</context>
<context>
    <name>Notice</name>
    <message>
        <source>Close notice</source>
        <translation>关闭通知</translation>
    </message>
</context>
<context>
    <name>PaletteModel</name>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
</context>
<context>
    <name>ParametersDrawer</name>
    <message>
        <source>Parameters</source>
        <translation>参数</translation>
    </message>
    <message>
        <source>By model ({0})</source>
        <translation>跟随模型（{0}）</translation>
    </message>
    <message>
        <source>No state yet: it begins with the first message.</source>
        <translation>尚无状态，将从第一条消息开始。</translation>
    </message>
    <message>
        <source>saved on disk</source>
        <translation>已存盘</translation>
    </message>
    <message>
        <source>in memory</source>
        <translation>在内存中</translation>
    </message>
    <message>
        <source>{0} tokens read, {1}, {2}</source>
        <translation>已读取 {0} token，{1}，{2}</translation>
    </message>
    <message>
        <source>Temperature</source>
        <translation>温度</translation>
    </message>
    <message>
        <source>Higher is more varied; 0 always takes the likeliest word</source>
        <translation>越高越多样；为 0 时总是选最可能的词</translation>
    </message>
    <message>
        <source>Top-p</source>
        <translation>Top-p</translation>
    </message>
    <message>
        <source>Only the likeliest words up to this share</source>
        <translation>只取累计概率达到此值的最可能的词</translation>
    </message>
    <message>
        <source>Top-k</source>
        <translation>Top-k</translation>
    </message>
    <message>
        <source>Only this many of the likeliest; 0 is off</source>
        <translation>只取最可能的这么多个词；0 为关闭</translation>
    </message>
    <message>
        <source>Min-p</source>
        <translation>Min-p</translation>
    </message>
    <message>
        <source>Only words at least this likely, of the best</source>
        <translation>只取概率不低于最高概率这一比例的词</translation>
    </message>
    <message>
        <source>Presence penalty</source>
        <translation>存在惩罚</translation>
    </message>
    <message>
        <source>Makes words that were written already less likely</source>
        <translation>降低已出现过的词的概率</translation>
    </message>
    <message>
        <source>Frequency penalty</source>
        <translation>频率惩罚</translation>
    </message>
    <message>
        <source>Makes words less likely each time they are written</source>
        <translation>词每出现一次，概率再降低一些</translation>
    </message>
    <message>
        <source>Penalty decay</source>
        <translation>惩罚衰减</translation>
    </message>
    <message>
        <source>How slowly penalties fade; 1 never</source>
        <translation>越大则惩罚消退越慢；1 为不消退</translation>
    </message>
    <message>
        <source>Preset</source>
        <translation>预设</translation>
    </message>
    <message>
        <source>Recommended for the model</source>
        <translation>模型推荐值</translation>
    </message>
    <message>
        <source>Precise</source>
        <translation>精确</translation>
    </message>
    <message>
        <source>Creative</source>
        <translation>创意</translation>
    </message>
    <message>
        <source>Own values</source>
        <translation>自定义</translation>
    </message>
    <message>
        <source>System text</source>
        <translation>系统提示词</translation>
    </message>
    <message>
        <source>Who the model is, how it should answer</source>
        <translation>模型的身份和回答方式</translation>
    </message>
    <message>
        <source>Thinking</source>
        <translation>思考</translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>随机种子</translation>
    </message>
    <message>
        <source>Random</source>
        <translation>随机</translation>
    </message>
    <message>
        <source>Longest answer</source>
        <translation>回答长度上限</translation>
    </message>
    <message>
        <source>No limit</source>
        <translation>不限</translation>
    </message>
    <message>
        <source>Chat format</source>
        <translation>对话格式</translation>
    </message>
    <message>
        <source>By model</source>
        <translation>跟随模型</translation>
    </message>
    <message>
        <source>Close parameters</source>
        <translation>关闭参数</translation>
    </message>
    <message>
        <source>Persona</source>
        <translation>角色</translation>
    </message>
    <message>
        <source>Sampling</source>
        <translation>采样</translation>
    </message>
    <message>
        <source>Longest answer, in tokens</source>
        <translation>回答长度上限（token）</translation>
    </message>
    <message>
        <source>State</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>No thinking</source>
        <translation>不思考</translation>
    </message>
    <message>
        <source>Fast</source>
        <translation>快速思考</translation>
    </message>
    <message>
        <source>Think</source>
        <translation>思考</translation>
    </message>
    <message>
        <source>Think a lot</source>
        <translation>深度思考</translation>
    </message>
</context>
<context>
    <name>PersonaDesk</name>
    <message>
        <source>state</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>{0} is a state for models of {1} layers, {2} wide.</source>
        <translation>{0} 是适用于 {1} 层、宽度 {2} 的模型的状态。</translation>
    </message>
    <message>
        <source>It has read {0} tokens.</source>
        <translation>它已读过 {0} 个 token。</translation>
    </message>
    <message>
        <source>Saved as persona {0}: a new chat can begin with it</source>
        <translation>已保存为角色“{0}”：新对话可以从它开始</translation>
    </message>
    <message>
        <source>Wrote {0}</source>
        <translation>已写入 {0}</translation>
    </message>
    <message>
        <source>This format holds no token shifts: the first words after this state can differ a little.</source>
        <translation>此格式不含 token shift：此状态之后的最初几个词可能略有不同。</translation>
    </message>
    <message>
        <source>Deleted the persona {0}</source>
        <translation>已删除角色“{0}”</translation>
    </message>
</context>
<context>
    <name>PersonaField</name>
    <message>
        <source>Delete persona</source>
        <translation>删除角色</translation>
    </message>
    <message>
        <source>Delete the persona {0}?</source>
        <translation>删除角色“{0}”？</translation>
    </message>
    <message>
        <source>{0}. This cannot be undone. Chats that began with it keep their texts; to go on with one, choose another persona or none there.</source>
        <translation>{0}。此操作无法撤销。从它开始的对话会保留文字；要继续其中的对话，请在那里改选其他角色或“无”。</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>Persona</source>
        <translation>角色</translation>
    </message>
    <message>
        <source>Delete this persona</source>
        <translation>删除此角色</translation>
    </message>
    <message>
        <source>Export this persona…</source>
        <translation>导出此角色…</translation>
    </message>
    <message>
        <source>Import a state as persona…</source>
        <translation>将状态导入为角色…</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message>
        <source>{0} (for another model)</source>
        <translation>{0}（属于其他模型）</translation>
    </message>
    <message>
        <source>{0} (missing)</source>
        <translation>{0}（已不存在）</translation>
    </message>
    <message>
        <source>This chat has begun and keeps its beginning; start a new chat.</source>
        <translation>此对话已经开始，不能再更换开头；请新建对话。</translation>
    </message>
    <message>
        <source>A saved state that a new chat begins with: a character, or knowledge read before</source>
        <translation>新对话由此开始的已保存状态：一个角色，或事先读过的知识</translation>
    </message>
    <message>
        <source>Choose another one or None: then the whole chat is read again.</source>
        <translation>请改选其他角色或“无”，随后会重新读取整个对话。</translation>
    </message>
    <message>
        <source>Has read {0} tokens; the system text is not used.</source>
        <translation>已读取 {0} token；不使用系统提示词。</translation>
    </message>
    <message>
        <source>Load a model to see its personas.</source>
        <translation>加载模型后即可看到它的角色。</translation>
    </message>
    <message>
        <source>None yet for this model. Drop a state file on the window, or choose “Save as persona” under a reply.</source>
        <translation>这个模型还没有。把状态文件拖到窗口上，或在回复下选择“保存为角色”。</translation>
    </message>
</context>
<context>
    <name>PersonaNamePrompt</name>
    <message>
        <source>Save as persona</source>
        <translation>保存为角色</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>The model as it is after this reply, with all that it has read in this chat. A new chat can begin with it: Parameters, Persona.</source>
        <translation>保存模型在这条回复之后的状态，包括它在此对话中读过的一切。新对话可以从它开始：参数 › 角色。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Replace</source>
        <translation>替换</translation>
    </message>
    <message>
        <source>There is one of this name already; it would be replaced.</source>
        <translation>已有同名角色，它将被替换。</translation>
    </message>
</context>
<context>
    <name>PlanLine</name>
    <message>
        <source>Cannot be run</source>
        <translation>无法运行</translation>
    </message>
    <message>
        <source>Looking at this computer…</source>
        <translation>正在检测本机…</translation>
    </message>
    <message>
        <source>Its needs are known once it is here.</source>
        <translation>下载后才能确定所需资源。</translation>
    </message>
    <message>
        <source>Fits</source>
        <translation>可运行</translation>
    </message>
    <message>
        <source>Tight</source>
        <translation>勉强可运行</translation>
    </message>
    <message>
        <source>Too large</source>
        <translation>过大</translation>
    </message>
</context>
<context>
    <name>PrivacySection</name>
    <message>
        <source>Privacy</source>
        <translation>隐私</translation>
    </message>
    <message>
        <source>What leaves this computer</source>
        <translation>哪些数据会离开本机</translation>
    </message>
    <message>
        <source>There is no telemetry, no account and no advertising.</source>
        <translation>没有遥测，无需账号，也没有广告。</translation>
    </message>
    <message>
        <source>Chats, states and models stay on this computer.</source>
        <translation>对话、状态和模型都留在本机。</translation>
    </message>
    <message>
        <source>Skein connects to the hub of models: for the list of models when it starts or when you look for one, and to download. A GPU pack is downloaded when you ask for it.</source>
        <translation>Skein 会连接模型库：在启动时或您查找模型时获取列表，以及下载模型。GPU 加速包在您要求时下载。</translation>
    </message>
    <message>
        <source>Only if you agreed, it also looks once a day for a newer version of itself. It reads one signed file and says nothing about you or this computer.</source>
        <translation>只有在您同意后，它才会每天检查一次自己的新版本。它只读取一个签名文件，不发送任何关于您或这台电脑的信息。</translation>
    </message>
    <message>
        <source>It connects to nothing else.</source>
        <translation>除此之外不连接任何地方。</translation>
    </message>
    <message>
        <source>“Work offline” under Models and storage stops even that.</source>
        <translation>打开“模型与存储”中的“离线工作”，连这些连接也会停止。</translation>
    </message>
    <message>
        <source>Crash reports are written to a file here; nobody gets them unless you send.</source>
        <translation>崩溃报告只写入本机文件；除非你主动发送，否则不会传给任何人。</translation>
    </message>
</context>
<context>
    <name>QuestionEditor</name>
    <message>
        <source>Edit the message</source>
        <translation>编辑消息</translation>
    </message>
    <message>
        <source>Send</source>
        <translation>发送</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
</context>
<context>
    <name>ReadyCard</name>
    <message>
        <source>Loaded</source>
        <translation>已加载</translation>
    </message>
    <message>
        <source>Load</source>
        <translation>加载</translation>
    </message>
    <message>
        <source>Load {0}</source>
        <translation>加载 {0}</translation>
    </message>
    <message>
        <source>Eject</source>
        <translation>卸载</translation>
    </message>
    <message>
        <source>Eject {0}</source>
        <translation>卸载 {0}</translation>
    </message>
    <message>
        <source>LoRAs of {0}</source>
        <translation>{0} 的 LoRA</translation>
    </message>
    <message>
        <source>Show {0} in its folder</source>
        <translation>在文件夹中显示 {0}</translation>
    </message>
    <message>
        <source>Delete {0}</source>
        <translation>删除 {0}</translation>
    </message>
    <message>
        <source>Loading of {0}</source>
        <translation>{0} 的加载进度</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Try again: {0}</source>
        <translation>重试：{0}</translation>
    </message>
    <message>
        <source>Loading…</source>
        <translation>正在加载…</translation>
    </message>
    <message>
        <source>{0} parameters</source>
        <translation>{0} 参数</translation>
    </message>
    <message>
        <source>release {0}</source>
        <translation>版本 {0}</translation>
    </message>
    <message>
        <source>starts from its own state</source>
        <translation>从自带的状态开始</translation>
    </message>
    <message>
        <source>With {0}</source>
        <translation>附加 {0}</translation>
    </message>
    <message>
        <source>Apply to a model…</source>
        <translation>应用到模型…</translation>
    </message>
    <message>
        <source>Keep as persona…</source>
        <translation>保存为角色…</translation>
    </message>
    <message>
        <source>Loading… {0} %</source>
        <translation>正在加载… {0}%</translation>
    </message>
    <message>
        <source>Load as {0}</source>
        <translation>以 {0} 加载</translation>
    </message>
</context>
<context>
    <name>ReplacedWatch</name>
    <message>
        <source>Skein was updated while it was running.</source>
        <translation>Skein 在运行时被更新了。</translation>
    </message>
    <message>
        <source>Start it again: until then parts of it may not work. Chats are kept.</source>
        <translation>请重新启动:在此之前,部分功能可能无法使用。对话会保留。</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>立即重新启动</translation>
    </message>
    <message>
        <source>Later</source>
        <translation>稍后</translation>
    </message>
    <message>
        <source>Skein was removed while it was running.</source>
        <translation>Skein 在运行时被卸载了。</translation>
    </message>
    <message>
        <source>Parts of it may not work any more. Chats, models and states stay.</source>
        <translation>部分功能可能无法再使用。对话、模型和状态都会保留。</translation>
    </message>
</context>
<context>
    <name>Reply</name>
    <message>
        <source>{0} tokens/s</source>
        <translation>{0} token/秒</translation>
    </message>
    <message>
        <source>{0} tokens</source>
        <translation>{0} token</translation>
    </message>
    <message>
        <source>{0} s</source>
        <translation>{0} 秒</translation>
    </message>
    <message>
        <source>read {0} at {1}/s</source>
        <translation>读取 {0}（{1}/秒）</translation>
    </message>
    <message>
        <source>read {0}</source>
        <translation>读取 {0}</translation>
    </message>
    <message>
        <source>resumed from state</source>
        <translation>从状态恢复</translation>
    </message>
    <message>
        <source>no saved state: read again</source>
        <translation>无已存状态，已重新读取</translation>
    </message>
    <message>
        <source>stopped</source>
        <translation>已停止</translation>
    </message>
</context>
<context>
    <name>SafeStart</name>
    <message>
        <source>The default settings are saved</source>
        <translation>已保存默认设置</translation>
    </message>
    <message>
        <source>Skein was started safely.</source>
        <translation>Skein 已安全启动。</translation>
    </message>
    <message>
        <source>Models run on the processor, and changed settings are forgotten when Skein is closed. If all is well this way, a model, the graphics card or a setting ended the last start.</source>
        <translation>模型在处理器上运行，更改的设置在关闭 Skein 后不保留。如果这样一切正常，那么上次启动是因模型、显卡或某项设置而中断的。</translation>
    </message>
    <message>
        <source>Start as usual</source>
        <translation>正常启动</translation>
    </message>
    <message>
        <source>Keep default settings</source>
        <translation>保留默认设置</translation>
    </message>
    <message>
        <source>Start safely</source>
        <translation>安全启动</translation>
    </message>
</context>
<context>
    <name>SafeStartDialog</name>
    <message>
        <source>Show report</source>
        <translation>查看报告</translation>
    </message>
    <message>
        <source>Start as usual</source>
        <translation>正常启动</translation>
    </message>
    <message>
        <source>Start safely</source>
        <translation>安全启动</translation>
    </message>
    <message>
        <source>The last start did not finish</source>
        <translation>上次启动未完成</translation>
    </message>
    <message>
        <source>Skein ended while it loaded {0}.</source>
        <translation>Skein 在加载 {0} 时退出了。</translation>
    </message>
    <message>
        <source>Skein ended before its window was ready.</source>
        <translation>Skein 在窗口就绪之前退出了。</translation>
    </message>
    <message>
        <source>A safe start computes on the processor, without a GPU pack, with default settings that are not saved, and loads no model by itself. Chats and models stay as they are.</source>
        <translation>安全启动只用处理器计算，不使用 GPU 包，采用默认设置且不保存，也不自动加载模型。对话和模型保持原样。</translation>
    </message>
    <message>
        <source>Crash report</source>
        <translation>崩溃报告</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Hide report</source>
        <translation>隐藏报告</translation>
    </message>
</context>
<context>
    <name>SettingsDesk</name>
    <message>
        <source>The language changes when Skein starts again</source>
        <translation>重新启动 Skein 后切换语言</translation>
    </message>
    <message>
        <source>In a safe start no folder can be moved.</source>
        <translation>安全启动时不能移动文件夹。</translation>
    </message>
    <message>
        <source>Its settings are forgotten at the end. Start as usual, then try again.</source>
        <translation>安全启动的设置在退出时会丢弃。请正常启动后再试。</translation>
    </message>
    <message>
        <source>The folder cannot be moved while a model is downloaded.</source>
        <translation>正在下载模型时无法移动文件夹。</translation>
    </message>
    <message>
        <source>Wait for the download or pause it, then try again.</source>
        <translation>请等待下载完成或先暂停下载，然后重试。</translation>
    </message>
    <message>
        <source>Moving: {0} %</source>
        <translation>正在移动：{0}%</translation>
    </message>
    <message>
        <source>Moved to {0}</source>
        <translation>已移动到 {0}</translation>
    </message>
</context>
<context>
    <name>SettingsPage</name>
    <message>
        <source>Settings</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>Sections</source>
        <translation>分类</translation>
    </message>
    <message>
        <source>General</source>
        <translation>常规</translation>
    </message>
    <message>
        <source>Models and storage</source>
        <translation>模型与存储</translation>
    </message>
    <message>
        <source>Inference</source>
        <translation>推理</translation>
    </message>
    <message>
        <source>Privacy</source>
        <translation>隐私</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>快捷键</translation>
    </message>
    <message>
        <source>About</source>
        <translation>关于</translation>
    </message>
</context>
<context>
    <name>SettingsStore</name>
    <message>
        <source>The settings could not be saved: {0}.</source>
        <translation>无法保存设置：{0}。</translation>
    </message>
    <message>
        <source>They hold until Skein is closed. Check the disk.</source>
        <translation>这些设置在关闭 Skein 前有效。请检查磁盘。</translation>
    </message>
</context>
<context>
    <name>Shortcuts</name>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>Search chats and commands</source>
        <translation>搜索对话和命令</translation>
    </message>
    <message>
        <source>Choose model</source>
        <translation>选择模型</translation>
    </message>
    <message>
        <source>Show chat</source>
        <translation>显示对话</translation>
    </message>
    <message>
        <source>Show models</source>
        <translation>显示模型</translation>
    </message>
    <message>
        <source>Show settings</source>
        <translation>显示设置</translation>
    </message>
    <message>
        <source>Fold or unfold sidebar</source>
        <translation>展开或收起侧边栏</translation>
    </message>
    <message>
        <source>Show or hide parameters</source>
        <translation>显示或隐藏参数</translation>
    </message>
    <message>
        <source>Rename chat</source>
        <translation>重命名对话</translation>
    </message>
    <message>
        <source>Edit the last message</source>
        <translation>编辑上一条消息</translation>
    </message>
    <message>
        <source>Regenerate the last answer</source>
        <translation>重新生成上一个回答</translation>
    </message>
    <message>
        <source>Stop writing</source>
        <translation>停止生成</translation>
    </message>
    <message>
        <source>Larger text</source>
        <translation>放大文字</translation>
    </message>
    <message>
        <source>Smaller text</source>
        <translation>缩小文字</translation>
    </message>
    <message>
        <source>Normal text size</source>
        <translation>恢复默认文字大小</translation>
    </message>
    <message>
        <source>Light or dark</source>
        <translation>切换浅色或深色</translation>
    </message>
    <message>
        <source>List of keys</source>
        <translation>快捷键列表</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>退出</translation>
    </message>
</context>
<context>
    <name>Sidebar</name>
    <message>
        <source>Sidebar</source>
        <translation>侧边栏</translation>
    </message>
    <message>
        <source>Skein</source>
        <translation>Skein</translation>
    </message>
    <message>
        <source>Fold sidebar</source>
        <translation>收起侧边栏</translation>
    </message>
    <message>
        <source>New chat</source>
        <translation>新对话</translation>
    </message>
    <message>
        <source>Search chats</source>
        <translation>搜索对话</translation>
    </message>
    <message>
        <source>Chat</source>
        <translation>对话</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>Unfold sidebar</source>
        <translation>展开侧边栏</translation>
    </message>
    <message>
        <source>Nothing found</source>
        <translation>未找到结果</translation>
    </message>
    <message>
        <source>No chat holds “{0}”.</source>
        <translation>没有包含“{0}”的对话。</translation>
    </message>
    <message>
        <source>No chats yet</source>
        <translation>还没有对话</translation>
    </message>
    <message>
        <source>Write a message: it becomes the first chat.</source>
        <translation>发送消息即可开始。</translation>
    </message>
</context>
<context>
    <name>StateFiles</name>
    <message>
        <source>State of Skein (*.safetensors)</source>
        <translation>Skein 的状态 (*.safetensors)</translation>
    </message>
    <message>
        <source>time_state of RWKV-PEFT and RWKV Runner (*.pth)</source>
        <translation>RWKV-PEFT 和 RWKV Runner 的 time_state (*.pth)</translation>
    </message>
    <message>
        <source>State of web-rwkv and Ai00 (*.st)</source>
        <translation>web-rwkv 和 Ai00 的状态 (*.st)</translation>
    </message>
    <message>
        <source>Export state</source>
        <translation>导出状态</translation>
    </message>
    <message>
        <source>Import states</source>
        <translation>导入状态</translation>
    </message>
    <message>
        <source>States ({0})</source>
        <translation>状态 ({0})</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>所有文件 (*)</translation>
    </message>
</context>
<context>
    <name>StatePrompt</name>
    <message>
        <source>Keep a state as persona</source>
        <translation>将状态保存为角色</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Any of its size: none is on this computer</source>
        <translation>任何同样大小的模型：这台电脑上没有</translation>
    </message>
    <message>
        <source>Keep this state as a persona</source>
        <translation>将此状态保存为角色</translation>
    </message>
    <message>
        <source>A new chat can then begin with it: Parameters, Persona.</source>
        <translation>之后新对话可以由它开始：参数、角色。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Replace</source>
        <translation>替换</translation>
    </message>
    <message>
        <source>Keep</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>There is one of this name already; it would be replaced.</source>
        <translation>已有同名角色，它将被替换。</translation>
    </message>
</context>
<context>
    <name>StorageSection</name>
    <message>
        <source>Models and storage</source>
        <translation>模型与存储</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Folder of models</source>
        <translation>模型文件夹</translation>
    </message>
    <message>
        <source>Downloads go here. Moving copies and checks first; nothing is lost.</source>
        <translation>下载的模型保存在此。移动时会先复制并校验，不会丢失数据。</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>Delete prepared models</source>
        <translation>删除预处理的模型</translation>
    </message>
    <message>
        <source>Prepared models</source>
        <translation>预处理的模型</translation>
    </message>
    <message>
        <source>Copies of models, laid out for the processor: they load much faster. What is deleted is made again at the next load.</source>
        <translation>为处理器排列好的模型副本，加载快得多。删除后会在下次加载时重新生成。</translation>
    </message>
    <message>
        <source>Room for prepared models</source>
        <translation>预处理模型空间上限</translation>
    </message>
    <message>
        <source>When it is full, those that were not used for longest go first.</source>
        <translation>空间满时，最久未使用的会先被删除。</translation>
    </message>
    <message>
        <source>None</source>
        <translation>无</translation>
    </message>
    <message>
        <source>Add folder…</source>
        <translation>添加文件夹…</translation>
    </message>
    <message>
        <source>Further folders and files</source>
        <translation>其他文件夹和文件</translation>
    </message>
    <message>
        <source>Models there are used where they are, never copied or deleted.</source>
        <translation>那里的模型会就地使用，不会被复制或删除。</translation>
    </message>
    <message>
        <source>Further folder</source>
        <translation>其他文件夹</translation>
    </message>
    <message>
        <source>No longer use this folder</source>
        <translation>不再使用此文件夹</translation>
    </message>
    <message>
        <source>Further file</source>
        <translation>其他文件</translation>
    </message>
    <message>
        <source>No longer list this file</source>
        <translation>不再列出此文件</translation>
    </message>
    <message>
        <source>Folder with model files</source>
        <translation>包含模型文件的文件夹</translation>
    </message>
    <message>
        <source>Saved states</source>
        <translation>已保存的状态</translation>
    </message>
    <message>
        <source>Folder of states</source>
        <translation>状态文件夹</translation>
    </message>
    <message>
        <source>With its state a chat goes on at once, without being read again.</source>
        <translation>有了状态，对话无需重新读取即可继续。</translation>
    </message>
    <message>
        <source>Room for states</source>
        <translation>状态空间上限</translation>
    </message>
    <message>
        <source>When it is full, the states that were not used for longest go first.</source>
        <translation>空间用满后，最久未使用的状态会最先删除。</translation>
    </message>
    <message>
        <source>Room that states take</source>
        <translation>状态占用的空间</translation>
    </message>
    <message>
        <source>Not measured yet</source>
        <translation>尚未测量</translation>
    </message>
    <message>
        <source>Free space</source>
        <translation>释放空间</translation>
    </message>
    <message>
        <source>Models take {0}</source>
        <translation>模型占用 {0}</translation>
    </message>
    <message>
        <source>{0} of {1} used</source>
        <translation>已用 {0}，共 {1}</translation>
    </message>
    <message>
        <source>Downloads</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>Work offline</source>
        <translation>离线工作</translation>
    </message>
    <message>
        <source>Skein then opens no connection at all.</source>
        <translation>打开后，Skein 不会建立任何网络连接。</translation>
    </message>
    <message>
        <source>Mirror</source>
        <translation>镜像</translation>
    </message>
    <message>
        <source>Another address for Hugging Face, for example a mirror.</source>
        <translation>Hugging Face 的替代地址，例如镜像站。</translation>
    </message>
    <message>
        <source>Proxy</source>
        <translation>代理</translation>
    </message>
    <message>
        <source>Empty: the proxy of the system, if any.</source>
        <translation>留空则使用系统代理（如有）。</translation>
    </message>
    <message>
        <source>Save</source>
        <translation>保存</translation>
    </message>
    <message>
        <source>Access token of Hugging Face</source>
        <translation>Hugging Face 访问令牌</translation>
    </message>
    <message>
        <source>Access token</source>
        <translation>访问令牌</translation>
    </message>
    <message>
        <source>Only for models that ask for it. Kept in the keyring of the system.</source>
        <translation>仅部分模型需要。保存在系统密钥环中。</translation>
    </message>
    <message>
        <source>A token is saved</source>
        <translation>已保存令牌</translation>
    </message>
    <message>
        <source>Write an address such as https://host:8080.</source>
        <translation>请填写类似 https://host:8080 的地址。</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>更改…</translation>
    </message>
    <message>
        <source>Change: {0}</source>
        <translation>更改：{0}</translation>
    </message>
    <message>
        <source>Open folder</source>
        <translation>打开文件夹</translation>
    </message>
</context>
<context>
    <name>StorageService</name>
    <message>
        <source>The folder could not be moved: {0}</source>
        <translation>无法移动文件夹：{0}</translation>
    </message>
    <message>
        <source>Nothing was lost.</source>
        <translation>没有丢失任何内容。</translation>
    </message>
</context>
<context>
    <name>ThinkingBlock</name>
    <message>
        <source>Thoughts</source>
        <translation>思考过程</translation>
    </message>
    <message>
        <source>Thinking… {0} s</source>
        <translation>正在思考… {0} 秒</translation>
    </message>
    <message>
        <source>Thought</source>
        <translation>已思考</translation>
    </message>
    <message>
        <source>Thought for {0} min {1} s</source>
        <translation>已思考 {0} 分 {1} 秒</translation>
    </message>
    <message>
        <source>Thought for {0} s</source>
        <translation>已思考 {0} 秒</translation>
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
        <translation>撤销</translation>
    </message>
    <message>
        <source>Close message</source>
        <translation>关闭通知</translation>
    </message>
</context>
<context>
    <name>Transcript</name>
    <message>
        <source>Messages</source>
        <translation>消息</translation>
    </message>
    <message>
        <source>Jump to the end</source>
        <translation>跳到底部</translation>
    </message>
    <message>
        <source>Reply stopped</source>
        <translation>回复已停止</translation>
    </message>
    <message>
        <source>Reply finished</source>
        <translation>回复已完成</translation>
    </message>
</context>
<context>
    <name>Units</name>
    <message>
        <source>about {0} tokens/s</source>
        <translation>约 {0} token/秒</translation>
    </message>
    <message>
        <source>{0} s left</source>
        <translation>剩余 {0} 秒</translation>
    </message>
    <message>
        <source>{0} min left</source>
        <translation>剩余 {0} 分钟</translation>
    </message>
    <message>
        <source>{0} h {1} min left</source>
        <translation>剩余 {0} 小时 {1} 分钟</translation>
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
        <translation>Skein {0} 在这里无法启动，因此恢复使用 {1}。</translation>
    </message>
    <message>
        <source>Chats, models and states are as they were. It is not offered again.</source>
        <translation>对话、模型和状态都没有变化。不会再提示该版本。</translation>
    </message>
    <message>
        <source>This is Skein {0} now.</source>
        <translation>现在是 Skein {0}。</translation>
    </message>
    <message>
        <source>What is new</source>
        <translation>新内容</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Shall Skein look for newer versions by itself?</source>
        <translation>要让 Skein 自动检查新版本吗？</translation>
    </message>
    <message>
        <source>Settings &gt; About has the switch.</source>
        <translation>可在“设置 &gt; 关于”中更改。</translation>
    </message>
    <message>
        <source>Yes, once a day</source>
        <translation>是，每天一次</translation>
    </message>
    <message>
        <source>No</source>
        <translation>否</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>Later</source>
        <translation>以后</translation>
    </message>
    <message>
        <source>Skein {0} is there.</source>
        <translation>Skein {0} 已发布。</translation>
    </message>
    <message>
        <source>It is fetched while you go on, and runs when Skein starts again.</source>
        <translation>下载时您可以继续使用，Skein 重新启动后生效。</translation>
    </message>
    <message>
        <source>Fetching Skein…</source>
        <translation>正在下载 Skein…</translation>
    </message>
    <message>
        <source>Show</source>
        <translation>查看</translation>
    </message>
    <message>
        <source>Skein {0} is ready.</source>
        <translation>Skein {0} 已准备好。</translation>
    </message>
    <message>
        <source>It runs from the next start on. A reply that is being written can go on there.</source>
        <translation>从下次启动起生效。正在生成的回复可以在那时继续。</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>立即重新启动</translation>
    </message>
    <message>
        <source>What is new in Skein {0}</source>
        <translation>Skein {0} 的新内容</translation>
    </message>
</context>
<context>
    <name>UpdatePanel</name>
    <message>
        <source>Download of the update</source>
        <translation>更新的下载进度</translation>
    </message>
    <message>
        <source>Look for newer versions by itself</source>
        <translation>自动检查新版本</translation>
    </message>
    <message>
        <source>Start again now</source>
        <translation>立即重新启动</translation>
    </message>
    <message>
        <source>Look now</source>
        <translation>立即检查</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>What is new</source>
        <translation>新内容</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Nobody has looked for a newer version yet</source>
        <translation>尚未检查过新版本</translation>
    </message>
    <message>
        <source>Looking for a newer version…</source>
        <translation>正在检查新版本…</translation>
    </message>
    <message>
        <source>This is the newest version</source>
        <translation>这是最新版本</translation>
    </message>
    <message>
        <source>The look for a newer version did not succeed</source>
        <translation>检查新版本未成功</translation>
    </message>
    <message>
        <source>{0} is there</source>
        <translation>{0} 已发布</translation>
    </message>
    <message>
        <source>Fetching {0}</source>
        <translation>正在下载 {0}</translation>
    </message>
    <message>
        <source>{0} is paused</source>
        <translation>{0} 已暂停</translation>
    </message>
    <message>
        <source>{0} could not be fetched</source>
        <translation>无法下载 {0}</translation>
    </message>
    <message>
        <source>{0} is ready: it runs from the next start on</source>
        <translation>{0} 已准备好：从下次启动起生效</translation>
    </message>
    <message>
        <source>{0} is kept, in case the new one does not start</source>
        <translation>保留 {0}，以防新版本无法启动</translation>
    </message>
    <message>
        <source>{0} of {1}</source>
        <translation>{0} / {1}</translation>
    </message>
    <message>
        <source>{0} to download</source>
        <translation>需下载 {0}</translation>
    </message>
    <message>
        <source>it was tried here and did not start</source>
        <translation>曾在这里尝试过，但无法启动</translation>
    </message>
    <message>
        <source>Last looked on {0}</source>
        <translation>上次检查：{0}</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>正在开始…</translation>
    </message>
    <message>
        <source>{0} %</source>
        <translation>{0} %</translation>
    </message>
    <message>
        <source>Checking the files…</source>
        <translation>正在校验文件…</translation>
    </message>
    <message>
        <source>Unpacking…</source>
        <translation>正在解压…</translation>
    </message>
    <message>
        <source>Laying it ready…</source>
        <translation>正在准备…</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>This is version {0}, in {1}.</source>
        <translation>这是版本 {0}，位于 {1}。</translation>
    </message>
    <message>
        <source>Version {0} is kept, in case this one does not start.</source>
        <translation>保留了版本 {0}，以防此版本无法启动。</translation>
    </message>
</context>
<context>
    <name>Updates</name>
    <message>
        <source>This copy runs from its sources or was installed by pip: update it the same way.</source>
        <translation>此副本从源代码运行或由 pip 安装：请以同样的方式更新。</translation>
    </message>
    <message>
        <source>This copy was built without an address to look for newer versions: whoever built it updates it.</source>
        <translation>此副本构建时没有设置检查新版本的地址：由构建者更新。</translation>
    </message>
    <message>
        <source>This copy was installed as a package: the system&apos;s package manager updates it. Skein changes nothing there and looks for nothing.</source>
        <translation>此副本是以软件包形式安装的：由系统的软件包管理器更新。Skein 不做任何更改，也不检查更新。</translation>
    </message>
    <message>
        <source>A newer version is installed by dragging it into Applications.</source>
        <translation>把新版本拖入“应用程序”即可安装。</translation>
    </message>
    <message>
        <source>This copy is one AppImage file: a newer version is a newer file.</source>
        <translation>此副本是一个 AppImage 文件：新版本就是新的文件。</translation>
    </message>
    <message>
        <source>This copy was built on this computer: nothing updates it.</source>
        <translation>此副本是在这台电脑上构建的：没有任何程序会更新它。</translation>
    </message>
    <message>
        <source>The folder {0} may not be written to by this user: whoever installed Skein there updates it.</source>
        <translation>此用户不能写入文件夹 {0}：由在那里安装 Skein 的人更新。</translation>
    </message>
    <message>
        <source>Once a day Skein then asks {0} for one small signed file; nothing about you or this computer is sent, not even which version runs.</source>
        <translation>Skein 会每天向 {0} 请求一个小的签名文件；不发送任何关于您或这台电脑的信息，连当前版本也不发送。</translation>
    </message>
</context>
<context>
    <name>VariantChooser</name>
    <message>
        <source>{0}   (1 of {1})</source>
        <translation>{0}   (共 {1} 个)</translation>
    </message>
    <message>
        <source>File of {0}: {1}, one of {2}</source>
        <translation>{0} 的文件：{1}，共 {2} 个</translation>
    </message>
    <message>
        <source>Files of {0}</source>
        <translation>{0} 的文件</translation>
    </message>
    <message>
        <source>release {0}</source>
        <translation>版本 {0}</translation>
    </message>
    <message>
        <source>Others</source>
        <translation>其他</translation>
    </message>
    <message>
        <source>on this computer</source>
        <translation>已在这台电脑上</translation>
    </message>
    <message>
        <source>cannot be run</source>
        <translation>无法运行</translation>
    </message>
    <message>
        <source>suits this computer</source>
        <translation>适合这台电脑</translation>
    </message>
</context>
<context>
    <name>Welcome</name>
    <message>
        <source>What would you like to know?</source>
        <translation>想了解些什么？</translation>
    </message>
    <message>
        <source>Welcome to Skein</source>
        <translation>欢迎使用 Skein</translation>
    </message>
    <message>
        <source>Everything stays on this computer. A chat can be as long as you like.</source>
        <translation>一切都留在本机，对话想聊多长就聊多长。</translation>
    </message>
    <message>
        <source>Gosling is a small model that came with Skein and speaks English. Ask how Skein works, say your name, or have it tell a story.</source>
        <translation>Gosling 是 Skein 自带的小模型，只会英语。可以问它 Skein 怎么用，告诉它你的名字，或者让它讲个故事。</translation>
    </message>
    <message>
        <source>First, a model</source>
        <translation>首先，选一个模型</translation>
    </message>
    <message>
        <source>No model is loaded yet</source>
        <translation>尚未加载模型</translation>
    </message>
    <message>
        <source>Choose one that is on this computer, or download one.</source>
        <translation>选择本机上的模型，或下载一个。</translation>
    </message>
    <message>
        <source>All models</source>
        <translation>所有模型</translation>
    </message>
    <message>
        <source>Examples</source>
        <translation>示例</translation>
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
        <translation>正在加载…</translation>
    </message>
    <message>
        <source>fits</source>
        <translation>可运行</translation>
    </message>
    <message>
        <source>tight</source>
        <translation>勉强可运行</translation>
    </message>
    <message>
        <source>too large</source>
        <translation>过大</translation>
    </message>
</context>
</TS>
