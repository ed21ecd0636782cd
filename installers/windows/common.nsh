; What setup and uninstaller share: telling, reading a line, whether a Skein runs. skein.nsi includes
; it; NSIS wants the uninstaller's functions by other names, hence the macro.

!macro BOTH UN

; $R0: a sentence. In a window it is a message, else it goes to standard error as UTF-8.
Function ${UN}Tell
  DetailPrint "$R0"
  ${IfNot} ${Silent}
    MessageBox MB_OK|MB_ICONSTOP "$R0"
    Return
  ${EndIf}
  System::Alloc 8192
  Pop $R1
  System::Call 'kernel32::WideCharToMultiByte(i 65001, i 0, w "$R0$\n", i -1, p R1, i 8192, p 0, p 0) i .R2'
  IntOp $R2 $R2 - 1
  System::Call 'kernel32::GetStdHandle(i -12) p .R3'
  System::Call 'kernel32::WriteFile(p R3, p R1, i R2, *i .R4, p 0)'
  System::Free $R1
FunctionEnd

; $R0 := the first line of the file $R0 of $INSTDIR, "" where there is none.
Function ${UN}ReadLine
  Push $R1
  ClearErrors
  FileOpen $R1 "$INSTDIR\$R0" r
  StrCpy $R0 ""
  ${IfNot} ${Errors}
    FileRead $R1 $R0 60
    FileClose $R1
    ${TrimNewLines} $R0 $R0
  ${EndIf}
  ClearErrors
  Pop $R1
FunctionEnd

; $R0 := "1" when a Skein of $INSTDIR runs: Windows lets nobody write to a program that does.
Function ${UN}Runs
  Push $R1
  Push $R2
  Push $R3
  StrCpy $R0 ""
  ClearErrors
  FindFirst $R1 $R2 "$INSTDIR\versions\*.*"
  ${DoUntil} ${Errors}
    ${For} $R3 1 2
      ${If} $R3 == 1
        StrCpy $R4 "$INSTDIR\versions\$R2\python\pythonw.exe"
      ${Else}
        StrCpy $R4 "$INSTDIR\versions\$R2\python\python.exe"
      ${EndIf}
      ${If} ${FileExists} "$R4"
        ClearErrors
        FileOpen $R5 "$R4" a
        ${If} ${Errors}
          StrCpy $R0 "1"
        ${Else}
          FileClose $R5
        ${EndIf}
      ${EndIf}
    ${Next}
    ClearErrors
    FindNext $R1 $R2
  ${Loop}
  FindClose $R1
  ClearErrors
  Pop $R3
  Pop $R2
  Pop $R1
FunctionEnd

; Goes on when no Skein of $INSTDIR runs, or ends.
Function ${UN}WaitForSkein
  ${Do}
    Call ${UN}Runs
    ${If} $R0 == ""
      Return
    ${EndIf}
    ${If} ${Silent}
      StrCpy $R0 "$(RUNNING)"
      Call ${UN}Tell
      SetErrorLevel 2
      Quit
    ${EndIf}
    ${If} ${Cmd} `MessageBox MB_RETRYCANCEL|MB_ICONEXCLAMATION "$(RUNNING)" IDCANCEL`
      SetErrorLevel 2
      Quit
    ${EndIf}
  ${Loop}
FunctionEnd

Function ${UN}ChooseLanguage
  ${GetParameters} $R0
  ClearErrors
  ${GetOptions} $R0 "/LANG=" $R1
  ${IfNot} ${Errors}
    StrCpy $LANGUAGE $R1
  ${EndIf}
  ClearErrors
FunctionEnd

; Only one setup or uninstaller at a time.
Function ${UN}BeAlone
  System::Call 'kernel32::CreateMutexW(p 0, i 0, w "Local\SkeinSetup") p .R1 ?e'
  Pop $R2
  ${If} $R2 == 183 ; ERROR_ALREADY_EXISTS
    StrCpy $R0 "$(TWO_SETUPS)"
    Call ${UN}Tell
    SetErrorLevel 2
    Quit
  ${EndIf}
FunctionEnd

!macroend
