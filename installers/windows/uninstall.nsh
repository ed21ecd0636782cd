; The uninstaller: what may go besides the program, with its true size, and the going itself.
; Nothing of the user's is deleted unless it is ticked, or /WITH-DATA is said. skein.nsi includes it.

; $R0 := kilobytes of the folder or file $R0, each file's rounded up. What a link leads to is not
; looked at. (GetSize of FileFunc.nsh counts a file's bytes in 32 bits; models have more.)
Function un.SizeOf
  Push $R1
  Push $R2
  Push $R3
  Push $R4
  StrCpy $R2 0
  ; WIN32_FILE_ATTRIBUTE_DATA: attributes, three times, the size's upper and lower half
  System::Call '*(i, l, l, l, i, i) p .R1'
  System::Call 'kernel32::GetFileAttributesExW(w R0, i 0, p R1)'
  System::Call '*$R1(i .R4, l, l, l, i .R2, i .R3)'
  System::Free $R1
  IntOp $R1 $R4 & 0x410
  ${If} $R1 = 0
    System::Int64Op $R2 * 4194304
    Pop $R2
    System::Int64Op $R3 & 0xFFFFFFFF
    Pop $R3
    System::Int64Op $R3 + 1023
    Pop $R3
    System::Int64Op $R3 / 1024
    Pop $R3
    IntPtrOp $R2 $R2 + $R3
  ${ElseIf} $R1 = 16 ; a folder, and no link to one
    StrCpy $R2 0
    StrCpy $R1 $R0
    ClearErrors
    FindFirst $R3 $R4 "$R1\*.*"
    ${DoUntil} ${Errors}
      ${If} $R4 != "."
      ${AndIf} $R4 != ".."
        StrCpy $R0 "$R1\$R4"
        Call un.SizeOf
        IntPtrOp $R2 $R2 + $R0
      ${EndIf}
      ClearErrors
      FindNext $R3 $R4
    ${Loop}
    FindClose $R3
  ${Else}
    StrCpy $R2 0
  ${EndIf}
  ClearErrors
  StrCpy $R0 $R2
  Pop $R4
  Pop $R3
  Pop $R2
  Pop $R1
FunctionEnd

; $R1 := "models", "cache" or "chats": what the entry $R1 of the data folder counts as.
Function un.KindOf
  ${Select} $R1
    ${Case} "models"
      StrCpy $R1 "models"
    ${Case4} "packs" "gpu_packs.json" "Cache" "Logs"
      StrCpy $R1 "cache"
    ${Default}
      StrCpy $R1 "chats"
  ${EndSelect}
FunctionEnd

Function un.Measure
  StrCpy $ModelsKb 0
  StrCpy $ChatsKb 0
  StrCpy $CacheKb 0
  ClearErrors
  FindFirst $0 $1 "$DataFolder\*.*"
  ${DoUntil} ${Errors}
    ${If} $1 != "."
    ${AndIf} $1 != ".."
      StrCpy $R0 "$DataFolder\$1"
      Call un.SizeOf
      StrCpy $R1 $1
      Call un.KindOf
      ${Select} $R1
        ${Case} "models"
          IntPtrOp $ModelsKb $ModelsKb + $R0
        ${Case} "cache"
          IntPtrOp $CacheKb $CacheKb + $R0
        ${Default}
          IntPtrOp $ChatsKb $ChatsKb + $R0
      ${EndSelect}
    ${EndIf}
    ClearErrors
    FindNext $0 $1
  ${Loop}
  FindClose $0
  ClearErrors
FunctionEnd

; Deletes the file or folder $R0. A link goes, and what it leads to stays: RMDir /r of NSIS would
; delete that, and who keeps models on another disk has a junction to it.
Function un.Remove
  Push $R1
  Push $R2
  Push $R3
  System::Call 'kernel32::GetFileAttributesW(w R0) i .R1'
  IntOp $R2 $R1 & 0x410
  ${If} $R1 = -1 ; there is none
  ${OrIf} $R2 = 0 ; a file
  ${OrIf} $R2 = 0x400 ; a link to a file
    Delete "$R0"
  ${ElseIf} $R2 = 0x410 ; a link to a folder
    System::Call 'kernel32::RemoveDirectoryW(w R0)'
  ${Else}
    StrCpy $R1 $R0
    ClearErrors
    FindFirst $R2 $R3 "$R1\*.*"
    ${DoUntil} ${Errors}
      ${If} $R3 != "."
      ${AndIf} $R3 != ".."
        StrCpy $R0 "$R1\$R3"
        Call un.Remove
      ${EndIf}
      ClearErrors
      FindNext $R2 $R3
    ${Loop}
    FindClose $R2
    RMDir "$R1"
  ${EndIf}
  ClearErrors
  Pop $R3
  Pop $R2
  Pop $R1
FunctionEnd

; Deletes what $R9 ("models", "cache" or "chats") stands for.
Function un.Drop
  ClearErrors
  FindFirst $0 $1 "$DataFolder\*.*"
  ${DoUntil} ${Errors}
    StrCpy $R1 $1
    Call un.KindOf
    ${If} $1 != "."
    ${AndIf} $1 != ".."
    ${AndIf} $R1 == $R9
      StrCpy $R0 "$DataFolder\$1"
      Call un.Remove
    ${EndIf}
    ClearErrors
    FindNext $0 $1
  ${Loop}
  FindClose $0
  ClearErrors
FunctionEnd

; $0 := kilobytes $0 in words.
Function un.InWords
  ${If} $0 == 0
    StrCpy $0 "$(UN_NONE)"
  ${ElseIf} $0 < 1024
    StrCpy $0 "$0 KB"
  ${ElseIf} $0 < 1048576
    IntOp $0 $0 / 1024
    StrCpy $0 "$0 MB"
  ${Else}
    IntPtrOp $1 $0 * 10
    IntPtrOp $1 $1 / 1048576
    IntOp $0 $1 / 10
    IntOp $1 $1 % 10
    StrCpy $0 "$0.$1 GB"
  ${EndIf}
FunctionEnd

!macro BOX TOP KB TEXT BOX
  StrCpy $0 ${KB}
  Call un.InWords
  ${NSD_CreateCheckbox} 0 ${TOP}u 100% 12u "${TEXT}"
  Pop ${BOX}
  ${If} ${KB} == 0
    EnableWindow ${BOX} 0
  ${EndIf}
!macroend

Function un.AskPage
  !insertmacro MUI_HEADER_TEXT "$(UN_TITLE)" "$(UN_SUBTITLE)"
  Call un.Measure
  nsDialogs::Create 1018
  Pop $0
  ${NSD_CreateLabel} 0 0 100% 44u "$(UN_TEXT)"
  Pop $0
  !insertmacro BOX 52 $ModelsKb "$(UN_MODELS)" $Box1
  !insertmacro BOX 68 $ChatsKb "$(UN_CHATS)" $Box2
  !insertmacro BOX 84 $CacheKb "$(UN_CACHE)" $Box3
  GetDlgItem $0 $HWNDPARENT 1
  SendMessage $0 ${WM_SETTEXT} 0 "STR:$(^UninstallBtn)"
  nsDialogs::Show
FunctionEnd

Function un.LeaveAsk
  ${NSD_GetState} $Box1 $DropModels
  ${NSD_GetState} $Box2 $DropChats
  ${NSD_GetState} $Box3 $DropCache
  ${If} $DropChats == ${BST_CHECKED}
    ${If} ${Cmd} `MessageBox MB_YESNO|MB_ICONEXCLAMATION|MB_DEFBUTTON2 "$(UN_SURE)" IDNO`
      Abort
    ${EndIf}
  ${EndIf}
FunctionEnd

Function un.onInit
  Call un.ChooseLanguage
  Call un.BeAlone
  StrCpy $DataFolder "$LOCALAPPDATA\Skein"
  ${If} ${Silent}
    ${GetParameters} $R0
    ClearErrors
    ${GetOptions} $R0 "/WITH-DATA" $R1
    ${IfNot} ${Errors}
      StrCpy $DropModels 1
      StrCpy $DropChats 1
      StrCpy $DropCache 1
    ${EndIf}
    ClearErrors
  ${EndIf}
FunctionEnd

; Deletes the versions of Skein, whole or not; somebody may have named a folder with "versions" of
; their own to the setup. $R9 := "1" when one of ours could not be deleted.
Function un.RemoveVersions
  StrCpy $R9 ""
  ClearErrors
  FindFirst $0 $1 "$INSTDIR\versions\*.*"
  ${DoUntil} ${Errors}
    StrCpy $2 $1 "" -8
    StrCpy $3 $1 "" -9
    ${If} $2 == ".partial"
    ${OrIf} $3 == ".removing"
    ${OrIf} ${FileExists} "$INSTDIR\versions\$1\manifest.json"
    ${OrIf} ${FileExists} "$INSTDIR\versions\$1\python\pythonw.exe"
      StrCpy $R0 "$INSTDIR\versions\$1"
      Call un.Remove
      ${If} ${FileExists} "$INSTDIR\versions\$1"
        StrCpy $R9 "1"
      ${EndIf}
    ${EndIf}
    ClearErrors
    FindNext $0 $1
  ${Loop}
  FindClose $0
  ClearErrors
  RMDir "$INSTDIR\versions"
FunctionEnd

; What Windows knows of Skein, unless it knows it of another copy, which stays.
Function un.Unregister
  ReadRegStr $0 HKCU "${KEY}" "InstallLocation"
  ${If} $0 != $INSTDIR
  ${AndIf} ${FileExists} "$0\channel"
    Return
  ${EndIf}
  Delete "$SMPROGRAMS\Skein.lnk"
  Delete "$DESKTOP\Skein.lnk"
  DeleteRegKey HKCU "${CLASSES}\Skein.Bundle"
  DeleteRegKey HKCU "${CLASSES}\Applications\Skein.exe"
  ReadRegStr $0 HKCU "${CLASSES}\.skein" ""
  ${If} $0 == "Skein.Bundle"
    DeleteRegKey HKCU "${CLASSES}\.skein"
  ${EndIf}
  DeleteRegKey HKCU "${KEY}"
  System::Call 'shell32::SHChangeNotify(i 0x8000000, i 0, p 0, p 0)'
FunctionEnd

Section "Uninstall"
  ${IfNot} ${FileExists} "$INSTDIR\channel"
  ${OrIfNot} ${FileExists} "$INSTDIR\versions\*.*"
    StrCpy $R0 "$(UN_NOT_OURS)"
    Call un.Tell
    SetErrorLevel 2
    Abort
  ${EndIf}
  Call un.WaitForSkein
  SetOutPath "$TEMP"
  Call un.Unregister
  ; Only what is ours, by name: the folder may hold more.
  Call un.RemoveVersions
  Delete "$INSTDIR\Skein.exe"
  Delete "$INSTDIR\skein.com"
  Delete "$INSTDIR\current"
  Delete "$INSTDIR\next"
  Delete "$INSTDIR\previous"
  Delete "$INSTDIR\trying"
  Delete "$INSTDIR\failed"
  Delete "$INSTDIR\rolled_back"
  Delete "$INSTDIR\Uninstall.exe"
  ${If} $R9 == "1"
    StrCpy $R0 "$(UN_LEFT)"
    Call un.Tell
    SetErrorLevel 2
  ${Else}
    Delete "$INSTDIR\channel"
  ${EndIf}
  RMDir "$INSTDIR"
  ${If} $DropModels == 1
    StrCpy $R9 "models"
    Call un.Drop
  ${EndIf}
  ${If} $DropChats == 1
    StrCpy $R9 "chats"
    Call un.Drop
  ${EndIf}
  ${If} $DropCache == 1
    StrCpy $R9 "cache"
    Call un.Drop
  ${EndIf}
  RMDir "$DataFolder"
SectionEnd
